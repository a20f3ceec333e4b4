/**
 * Timeline: the entries that can be scrolled through without a request: a stretch of each chosen stream, merged by time.
 * It is a window on the files, of bounded size; it moves by fetching at one end and forgetting at the other.
 */

import { signal } from "../vendor/signals.js";
import * as api from "./api.js";
import { markEntry, passes, skipEntry, weightOf, woven } from "./entry.js";
import { Reorder, takeAbove, takeBelow } from "./merge.js";
import { Reel } from "./reel.js";
import { seek, timeOf } from "./seek.js";

/** @import {Entry} from "./entry.js" */
/** @import {Line, LinesEvent, Mark, SkipEvent} from "./types.js" */

const PAGE = 400;
const FILTERED_PAGE = 4000;
const MOST_ENTRIES = 4000;
const MOST_WEIGHT = 8e6;
const SLACK = 1.25;
/** Lines that one request for more looks at, when few of them pass the filter. */
const MOST_LOOKED_AT = 200000;
const WINDOW_MS = 1000;
const FLUSH_MS = 100;
/** Entries at the end among which a mark that comes again is looked for. */
const NEAR = 1000;
/** A stream of which nothing came for so long is not waited for. */
const TALKING_MS = 3000;

/**
 * A stream that is not there may begin: its end is then its beginning, and what comes is shown.
 * @param {unknown} error
 * @returns {import("./types.js").LinesAnswer}
 */
function nothingYet(error) {
  if (!(error instanceof api.ApiError && error.status === 404)) throw error;
  return { size: 0, from: 0, to: 0, start: true, end: true, lines: [], marks: [] };
}

/** @typedef {{lines: number, bytes: number, exact: boolean}} Since */

export class Timeline {
  /** @type {Reel[]} */
  reels = [];
  /** @type {Entry[]} */
  entries = [];
  /** Grows with every change of the entries. */
  version = signal(0);
  /** Whether the end of the entries is the end of the streams, and what comes is added. */
  attached = signal(false);
  /** Whether the view stays at the end. */
  follow = signal(true);
  /** What came since following ended. @type {import("../vendor/signals.js").Signal<Since>} */
  since = signal({ lines: 0, bytes: 0, exact: true });
  /** Least level that is shown, an index in LEVELS. */
  least = signal(0);
  /** @type {import("../vendor/signals.js").Signal<string>} */
  trouble = signal("");
  /** Whether looking further up was given up because nothing passed the filter. */
  tired = signal(false);
  busy = signal(false);

  #weight = 0;
  #abort = new AbortController();
  #reorder = new Reorder(WINDOW_MS);
  #flushing = 0;
  /** @type {Map<string, number>} */
  #heardAt = new Map();
  #above = false;
  #below = false;
  /** Whether the reels were opened: only then they have ends at which more can be fetched. */
  #ready = false;

  /** @param {() => void} reconnect called when the live connection has to ask for something else */
  constructor(reconnect) {
    this.#reconnect = reconnect;
  }

  #reconnect;

  /** What the live connection shall ask for. @returns {string[]} */
  wanted() {
    return this.reels.map((reel) => `${reel.path}@${reel.heard}`);
  }

  /** @param {string} path */
  reel(path) {
    return this.reels.find((reel) => reel.path === path);
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
        const answer = await api.lines(reel.path, -1, this.#page(), 0, signal).catch(nothingYet);
        return { answer, pivot: answer.to };
      });
      await this.#fillAbove(signal, PAGE);
      this.#attach();
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
      const answer = await api.lines(path, offset, 150, 350, signal);
      const line = answer.lines.find((one) => one.end > offset) ?? answer.lines[answer.lines.length - 1];
      const time = timeOf(line);
      await this.#openAll(signal, async (reel) => {
        if (reel.path === path) return { answer, pivot: line?.offset ?? answer.to };
        const other = time === null ? -1 : await seek(reel.path, time, signal);
        const there = await api.lines(reel.path, other, 150, 350, signal);
        return { answer: there, pivot: other < 0 ? there.to : (there.lines.find((one) => one.end > other)?.offset ?? there.to) };
      });
      await this.#fillAbove(signal, 150);
      await this.#fillBelow(signal, 350);
      target = this.entries.find((entry) => entry.stream === path && entry.line !== null && entry.end > offset);
      this.#reconnect();
    });
    return target;
  }

  /** Fetch more at the upper end. */
  async loadAbove() {
    if (this.#above || this.tired.value || !this.#ready) return;
    await this.#guarded(this.#abort.signal, () => this.#fillAbove(this.#abort.signal, PAGE));
  }

  /** Look further up, although nothing passed the filter for long. */
  async lookFurther() {
    this.tired.value = false;
    await this.loadAbove();
  }

  /** Fetch more at the lower end. */
  async loadBelow() {
    if (this.#below || this.attached.value || !this.#ready) return;
    await this.#guarded(this.#abort.signal, () => this.#fillBelow(this.#abort.signal, PAGE));
  }

  /** Whether there is nothing above the entries. */
  get atStart() {
    return this.reels.every((reel) => reel.atStart && reel.above.length === 0);
  }

  /** Stay where we are; what comes is counted. */
  pause() {
    if (!this.follow.value) return;
    this.follow.value = false;
    this.since.value = { lines: 0, bytes: 0, exact: true };
  }

  /** Be at the end and stay there. */
  async resume() {
    this.since.value = { lines: 0, bytes: 0, exact: true };
    if (this.attached.value) {
      this.follow.value = true;
      this.#trimAbove();
      this.#changed();
    } else await this.openEnd(this.reels.map((reel) => reel.path));
  }

  /** @param {LinesEvent} event */
  takeLines(event) {
    const reel = this.reel(event.stream);
    if (reel === undefined) return;
    const fresh = event.lines.filter((line) => line.offset >= reel.heard);
    if (!this.follow.value) this.#count(fresh, event.to - Math.max(event.from, reel.heard), reel.heard >= 0);
    if (!this.attached.value) {
      reel.heard = Math.max(reel.heard, ...fresh.filter((line) => !line.open).map((line) => line.end));
      return;
    }
    const entries = event.from > reel.heard ? [skipEntry(reel.path, reel.heard, event.from)] : [];
    const marks = this.#newMarks(reel, event.marks ?? []);
    const unopened = fresh.filter((line) => !this.#grow(reel, line));
    entries.push(...woven(reel.path, unopened, marks));
    reel.heard = reel.to = reel.belowTo = fresh.reduce(
      (most, line) => (line.open ? most : Math.max(most, line.end)),
      Math.max(reel.heard, event.from),
    );
    reel.size = Math.max(reel.size, event.to);
    this.#add(reel, entries);
  }

  /**
   * The connection was lost and stands again: what happened meanwhile at the very end, where no line follows, is asked
   * for, because it is told only once.
   */
  async catchUp() {
    const signal = this.#abort.signal;
    if (!this.attached.value) return;
    for (const reel of this.reels) {
      const answer = await api.lines(reel.path, reel.heard, 0, 1, signal).catch(() => null);
      if (signal.aborted || answer === null || !this.attached.value) return;
      const marks = this.#newMarks(reel, answer.marks ?? []).filter((mark) => mark.offset <= reel.heard);
      if (marks.length > 0) this.#add(reel, woven(reel.path, [], marks));
    }
  }

  /** @param {SkipEvent} event */
  takeSkip(event) {
    const reel = this.reel(event.stream);
    if (reel === undefined || event.to <= reel.heard) return;
    if (!this.follow.value) {
      const { lines, bytes } = this.since.value;
      this.since.value = { lines, bytes: bytes + event.to - event.from, exact: false };
    }
    const from = reel.heard;
    reel.heard = event.to;
    if (!this.attached.value) return;
    reel.to = reel.belowTo = event.to;
    this.#add(reel, [skipEntry(reel.path, from, event.to)]);
  }

  /** Stop whatever is under way. */
  stop() {
    this.#abort.abort();
    clearTimeout(this.#flushing);
  }

  // -- live

  /**
   * A line that was shown without its newline has grown.
   * @param {Reel} reel
   * @param {Line} line
   * @returns {boolean} whether it is such a line
   */
  #grow(reel, line) {
    const shown = reel.openEntry;
    if (shown?.line?.offset !== line.offset) {
      if (shown) reel.openEntry = null;
      return false;
    }
    this.#weight += line.text.length - shown.line.text.length;
    shown.line = line;
    shown.end = line.end;
    shown.height = 0;
    shown.revision++;
    if (!line.open) reel.openEntry = null;
    this.#changed();
    return true;
  }

  /**
   * Those that are not shown yet: after a reconnection they come again.
   * @param {Reel} reel
   * @param {Mark[]} marks
   */
  #newMarks(reel, marks) {
    if (marks.length === 0) return [];
    const known = new Set(this.entries.slice(-NEAR).map((entry) => entry.key));
    return marks.filter((mark) => !known.has(markEntry(reel.path, mark).key));
  }

  /**
   * @param {Reel} reel
   * @param {Entry[]} entries
   */
  #add(reel, entries) {
    reel.order(entries);
    this.#heardAt.set(reel.path, performance.now());
    const last = entries.findLast((entry) => entry.line !== null);
    if (last?.line?.open) reel.openEntry = last;
    const shown = entries.filter((entry) => passes(entry, this.least.value));
    if (this.reels.length === 1) this.#append(shown);
    else {
      this.#reorder.put(shown, performance.now());
      this.#flush();
    }
  }

  #flush() {
    clearTimeout(this.#flushing);
    const now = performance.now();
    const talking = this.reels.filter((reel) => now - (this.#heardAt.get(reel.path) ?? -Infinity) < TALKING_MS);
    this.#append(this.#reorder.take(now, Math.min(...talking.map((reel) => reel.lastOrder))));
    if (this.#reorder.size > 0) this.#flushing = setTimeout(() => this.#flush(), FLUSH_MS);
  }

  /** @param {Entry[]} entries */
  #append(entries) {
    if (entries.length === 0) return;
    for (const entry of entries) {
      this.entries.push(entry);
      this.#weight += weightOf(entry);
    }
    if (this.follow.value) this.#trimAbove();
    else if (this.#isFull(2)) this.#detach();
    this.#changed();
  }

  /**
   * @param {Line[]} lines
   * @param {number} bytes
   * @param {boolean} exact
   */
  #count(lines, bytes, exact) {
    const before = this.since.value;
    const count = lines.reduce((sum, line) => sum + (line.open ? 0 : 1), 0);
    if (count === 0) return;
    this.since.value = { lines: before.lines + count, bytes: before.bytes + Math.max(0, bytes), exact: before.exact && exact };
  }

  #attach() {
    for (const reel of this.reels) {
      reel.to = reel.heard = reel.belowTo;
      const last = this.entries.findLast((entry) => entry.stream === reel.path && entry.line !== null);
      if (last?.line?.open) reel.openEntry = last;
    }
    // Whoever has not spoken yet may be about to.
    for (const reel of this.reels) this.#heardAt.set(reel.path, performance.now());
    this.#reorder.reset(this.entries[this.entries.length - 1]?.order ?? -Infinity);
    this.attached.value = true;
    this.#reconnect();
    this.#changed();
  }

  /** What comes is no longer added: the window is full while somebody reads in it. */
  #detach() {
    this.attached.value = false;
    clearTimeout(this.#flushing);
    this.#reorder.reset(Infinity);
    for (const reel of this.reels) reel.cutBelow(this.entries.findLast((entry) => entry.stream === reel.path));
  }

  // -- fetching

  /**
   * @param {string[]} paths
   * @returns {AbortSignal}
   */
  #begin(paths) {
    this.#abort.abort();
    this.#abort = new AbortController();
    clearTimeout(this.#flushing);
    this.#above = this.#below = this.#ready = false;
    this.attached.value = false;
    this.tired.value = false;
    this.since.value = { lines: 0, bytes: 0, exact: true };
    const known = new Map(this.reels.map((reel) => [reel.path, reel]));
    // Until the answers are here the old entries stay on the screen, but nothing is added to them.
    this.reels = paths.map((path) => known.get(path) ?? new Reel(path));
    if (paths.length === 0) this.#clear();
    return this.#abort.signal;
  }

  #clear() {
    this.entries = [];
    this.#weight = 0;
    this.#changed();
  }

  /**
   * @param {AbortSignal} signal
   * @param {(reel: Reel) => Promise<{answer: import("./types.js").LinesAnswer, pivot: number}>} ask
   */
  async #openAll(signal, ask) {
    const answers = await Promise.all(this.reels.map(ask));
    if (signal.aborted) return;
    this.#heardAt.clear();
    this.reels.forEach((reel, index) => reel.open(answers[index].answer, answers[index].pivot, this.least.value));
    this.entries = [];
    this.#weight = 0;
    this.#ready = this.reels.length > 0;
  }

  /**
   * @param {AbortSignal} signal
   * @param {() => Promise<void>} work
   */
  async #guarded(signal, work) {
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

  #page() {
    return this.least.value > 0 ? FILTERED_PAGE : PAGE;
  }

  /**
   * @param {AbortSignal} signal
   * @param {number} count
   */
  async #fillAbove(signal, count) {
    this.#above = true;
    let looked = 0;
    try {
      while (count > 0 && !signal.aborted) {
        const taken = takeAbove(this.reels, count);
        count -= taken.length;
        this.#prepend(taken);
        const hungry = this.reels.filter((reel) => reel.above.length === 0 && !reel.atStart);
        if (count === 0 || hungry.length === 0) break;
        if (looked > MOST_LOOKED_AT) {
          this.tired.value = true;
          break;
        }
        const counts = await Promise.all(hungry.map((reel) => reel.fetchAbove(this.#page(), this.least.value, signal)));
        looked += counts.reduce((sum, one) => sum + one, 0);
      }
    } finally {
      if (!signal.aborted) this.#above = false;
    }
    if (!signal.aborted) this.#changed();
  }

  /**
   * @param {AbortSignal} signal
   * @param {number} count
   */
  async #fillBelow(signal, count) {
    this.#below = true;
    try {
      while (count > 0 && !signal.aborted) {
        const taken = takeBelow(this.reels, count);
        count -= taken.length;
        for (const entry of taken) this.#placeBelow(entry);
        this.#trimAbove();
        const hungry = this.reels.filter((reel) => reel.below.length === 0 && !reel.atEnd);
        if (hungry.length === 0 && this.reels.every((reel) => reel.below.length === 0)) {
          this.#attach();
          break;
        }
        if (count > 0) await Promise.all(hungry.map((reel) => reel.fetchBelow(this.#page(), this.least.value, signal)));
      }
    } finally {
      if (!signal.aborted) this.#below = false;
    }
    if (!signal.aborted) this.#changed();
  }

  /** @param {Entry} entry */
  #placeBelow(entry) {
    this.entries.push(entry);
    this.#weight += weightOf(entry);
    const reel = this.reel(entry.stream);
    if (reel) reel.to = entry.end;
  }

  /** @param {Entry[]} taken */
  #prepend(taken) {
    if (taken.length === 0) return;
    this.entries = taken.concat(this.entries);
    for (const entry of taken) {
      this.#weight += weightOf(entry);
      const reel = this.reel(entry.stream);
      if (reel) reel.from = Math.min(reel.from, entry.offset);
    }
    if (this.#isFull(SLACK)) this.#trimBelow();
    this.#changed();
  }

  // -- bounds

  /** @param {number} factor */
  #isFull(factor) {
    return this.entries.length > MOST_ENTRIES * factor || this.#weight > MOST_WEIGHT * factor;
  }

  #trimAbove() {
    if (!this.#isFull(SLACK)) return;
    let cut = 0;
    while (this.entries.length - cut > MOST_ENTRIES || this.#weight > MOST_WEIGHT) this.#weight -= weightOf(this.entries[cut++]);
    const gone = new Set(this.entries.slice(0, cut).map((entry) => entry.stream));
    this.entries = this.entries.slice(cut);
    for (const reel of this.reels) {
      if (gone.has(reel.path)) reel.cutAbove(this.entries.find((entry) => entry.stream === reel.path));
    }
  }

  #trimBelow() {
    let left = this.entries.length;
    while (left > MOST_ENTRIES || this.#weight > MOST_WEIGHT) this.#weight -= weightOf(this.entries[--left]);
    this.entries = this.entries.slice(0, left);
    this.#detach();
  }

  #changed() {
    this.version.value = this.version.peek() + 1;
  }
}

