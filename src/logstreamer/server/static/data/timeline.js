/** Timeline: what is shown of the chosen streams: opens them at a place, follows them, and moves along them. */

import { signal } from "../vendor/signals.js";
import * as api from "./api.js";
import { Arrivals } from "./arrivals.js";
import { lets } from "./entry.js";
import { Filling } from "./filling.js";
import { Reel } from "./reel.js";
import { seek, timeOf } from "./seek.js";
import { Since } from "./since.js";
import { Stretch } from "./stretch.js";

/** @import {Entry} from "./entry.js" */
/** @import {LinesAnswer, LinesEvent, SkipEvent} from "./types.js" */

/** Lines above and below a place that is opened. */
const ABOVE = 150;
const BELOW = 350;

/**
 * A stream that is not there may begin: its end is then its beginning, and what comes is shown.
 * @param {unknown} error
 * @returns {LinesAnswer}
 */
function nothingYet(error) {
  if (!(error instanceof api.ApiError && error.status === 404)) throw error;
  return { size: 0, from: 0, to: 0, start: true, end: true, lines: [], marks: [] };
}

export class Timeline {
  /** Whether the view stays at the end. */
  follow = signal(true);
  /** Least level that is shown, an index in LEVELS. */
  least = signal(0);
  /** @type {import("../vendor/signals.js").Signal<string>} */
  trouble = signal("");
  busy = signal(false);

  #stretch = new Stretch();
  #since = new Since();
  #filling = new Filling(this.#stretch, this.least);
  #arrivals = new Arrivals(this.#stretch, this.follow, this.least);
  #abort = new AbortController();
  /** Whether the reels were opened: only then they have ends at which more can be fetched. */
  #ready = false;
  /** What was begun last. */
  #work = Promise.resolve();

  /** @param {() => void} reconnect called when the live connection has to ask for something else */
  constructor(reconnect) {
    this.#reconnect = reconnect;
  }

  #reconnect;

  get reels() {
    return this.#stretch.reels;
  }

  /** What can be scrolled through without a request. */
  get entries() {
    return this.#stretch.entries;
  }

  /** Grows with every change of the entries. */
  get version() {
    return this.#stretch.version;
  }

  /** Whether the end of the entries is the end of the streams, and what comes is added. */
  get attached() {
    return this.#stretch.attached;
  }

  /** What came since following ended. */
  get since() {
    return this.#since.count;
  }

  /** Whether looking further up was given up because nothing passed the filter. */
  get tired() {
    return this.#filling.tired;
  }

  /** Whether there is nothing above the entries. */
  get atStart() {
    return this.#stretch.atStart;
  }

  /** What the live connection shall ask for. @returns {string[]} */
  wanted() {
    return this.reels.map((reel) => `${reel.path}@${reel.heard}`);
  }

  /** @param {string} path */
  reel(path) {
    return this.#stretch.reel(path);
  }

  /** Wait until nothing is being fetched. */
  async settled() {
    let work;
    do {
      work = this.#work;
      await work;
    } while (work !== this.#work);
  }

  /**
   * Show these streams at their ends.
   * @param {string[]} paths
   */
  async openEnd(paths) {
    const signal = this.#begin(paths);
    this.follow.value = true;
    await this.#guarded(signal, async () => {
      await this.#openAll(signal, async (reel) => {
        const answer = await api.lines(reel.path, -1, this.#filling.page, 0, signal).catch(nothingYet);
        return { answer, pivot: answer.to };
      });
      await this.#filling.fillAbove(signal);
      if (!signal.aborted) this.#attach();
    });
  }

  /**
   * Show these streams around one byte of one of them, the others at the same time.
   * @param {string[]} paths
   * @param {string} path
   * @param {number} offset
   * @returns {Promise<Entry | undefined>} the line with that byte
   */
  async openAt(paths, path, offset) {
    const signal = this.#begin(paths);
    this.follow.value = false;
    /** @type {Entry | undefined} */
    let target;
    await this.#guarded(signal, async () => {
      const answer = await api.lines(path, offset, ABOVE, BELOW, signal);
      const line = answer.lines.find((one) => one.end > offset) ?? answer.lines[answer.lines.length - 1];
      const time = timeOf(line);
      await this.#openAll(signal, async (reel) => {
        if (reel.path === path) return { answer, pivot: line?.offset ?? answer.to };
        const other = time === null ? -1 : await seek(reel.path, time, signal);
        const there = await api.lines(reel.path, other, ABOVE, BELOW, signal);
        return { answer: there, pivot: other < 0 ? there.to : (there.lines.find((one) => one.end > other)?.offset ?? there.to) };
      });
      await this.#filling.fillAbove(signal, ABOVE);
      await this.#fillBelow(signal, BELOW);
      target = this.entries.find((entry) => entry.stream === path && entry.line !== null && entry.end > offset);
      this.#reconnect();
    });
    return target;
  }

  /** Fetch more at the upper end. */
  async loadAbove() {
    if (this.#filling.above || this.tired.value || !this.#ready) return;
    const { signal } = this.#abort;
    await this.#guarded(signal, () => this.#filling.fillAbove(signal));
  }

  /** Look further up, although nothing passed the filter for long. */
  async lookFurther() {
    this.tired.value = false;
    await this.loadAbove();
  }

  /** Fetch more at the lower end. */
  async loadBelow() {
    if (this.#filling.below || this.attached.value || !this.#ready) return;
    const { signal } = this.#abort;
    await this.#guarded(signal, () => this.#fillBelow(signal));
  }

  /** Stay where we are; what comes is counted. */
  pause() {
    if (!this.follow.value) return;
    this.follow.value = false;
    this.#since.reset();
  }

  /** Be at the end and stay there. */
  async resume() {
    this.#since.reset();
    if (this.attached.value) {
      this.follow.value = true;
      this.#stretch.trimAbove();
      this.#stretch.changed();
    } else await this.openEnd(this.reels.map((reel) => reel.path));
  }

  /** @param {LinesEvent} event */
  takeLines(event) {
    const reel = this.reel(event.stream);
    if (reel === undefined) return;
    const fresh = event.lines.filter((line) => line.offset >= reel.heard);
    if (!this.follow.value) this.#since.add(fresh.filter((line) => lets(line, this.least.value)), event.to - Math.max(event.from, reel.heard), reel.heard >= 0);
    if (this.attached.value) this.#arrivals.take(reel, event, fresh);
    else reel.heard = Math.max(reel.heard, ...fresh.filter((line) => !line.open).map((line) => line.end));
  }

  /** @param {SkipEvent} event */
  takeSkip(event) {
    const reel = this.reel(event.stream);
    if (reel === undefined || event.to <= reel.heard) return;
    if (!this.follow.value) this.#since.skip(event.to - event.from);
    const from = reel.heard;
    reel.heard = event.to;
    if (this.attached.value) this.#arrivals.skip(reel, event, from);
  }

  /** The connection was lost, and stands again. */
  returned() {
    this.#arrivals.returned();
  }

  /**
   * The connection was lost and stands again: what happened meanwhile at the very end, where no line follows, is asked
   * for, because it is told only once.
   */
  async catchUp() {
    const { signal } = this.#abort;
    if (!this.attached.value) return;
    for (const reel of this.reels) {
      const answer = await api.lines(reel.path, reel.heard, 0, 1, signal).catch(() => null);
      if (signal.aborted || answer === null || !this.attached.value) return;
      this.#arrivals.mark(reel, answer.marks ?? []);
    }
  }

  /** Stop whatever is under way. */
  stop() {
    this.#abort.abort();
    this.#arrivals.stop();
  }

  /** The end of the entries is that of the streams: what comes is added. */
  #attach() {
    for (const reel of this.reels) {
      reel.to = reel.heard = reel.belowTo;
      const last = this.entries.findLast((entry) => entry.stream === reel.path && entry.line !== null);
      if (last?.line?.open) reel.openEntry = last;
    }
    this.#arrivals.begin();
    this.attached.value = true;
    this.#reconnect();
    this.#stretch.changed();
  }

  /**
   * @param {AbortSignal} signal
   * @param {number} [count]
   */
  async #fillBelow(signal, count) {
    if (await this.#filling.fillBelow(signal, count)) this.#attach();
  }

  /**
   * @param {string[]} paths
   * @returns {AbortSignal}
   */
  #begin(paths) {
    this.stop();
    this.#abort = new AbortController();
    this.#filling.reset();
    this.#ready = false;
    this.attached.value = false;
    this.#since.reset();
    const known = new Map(this.reels.map((reel) => [reel.path, reel]));
    // Until the answers are here the old entries stay on the screen, but nothing is added to them.
    this.#stretch.reels = paths.map((path) => known.get(path) ?? new Reel(path));
    if (paths.length === 0) this.#clear();
    return this.#abort.signal;
  }

  #clear() {
    this.#stretch.clear();
    this.#stretch.changed();
  }

  /**
   * @param {AbortSignal} signal
   * @param {(reel: Reel) => Promise<{answer: LinesAnswer, pivot: number}>} ask
   */
  async #openAll(signal, ask) {
    const answers = await Promise.all(this.reels.map(ask));
    if (signal.aborted) return;
    this.reels.forEach((reel, index) => reel.open(answers[index].answer, answers[index].pivot, this.least.value));
    this.#stretch.clear();
    this.#ready = this.reels.length > 0;
  }

  /**
   * @param {AbortSignal} signal
   * @param {() => Promise<void>} work
   */
  #guarded(signal, work) {
    this.#work = this.#attempt(signal, work);
    return this.#work;
  }

  /**
   * @param {AbortSignal} signal
   * @param {() => Promise<void>} work
   */
  async #attempt(signal, work) {
    this.busy.value = true;
    try {
      await work();
      if (!signal.aborted) this.trouble.value = "";
    } catch (error) {
      if (signal.aborted) return;
      this.trouble.value = error instanceof Error ? error.message : String(error);
      if (!this.#ready) this.#clear();
    } finally {
      if (!signal.aborted) this.busy.value = false;
    }
  }
}
