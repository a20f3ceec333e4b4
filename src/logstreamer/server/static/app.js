/** App: what the page knows and can do. The views show it and call it; it knows none of them. */

import { computed, effect, signal, untracked } from "./vendor/signals.js";
import { MOST_STREAMS, fragmentOf, placeOf } from "./data/address.js";
import { LEVELS } from "./data/entry.js";
import { lanesOf } from "./data/lanes.js";
import { Live } from "./data/live.js";
import { Search } from "./data/search.js";
import { Sources, STATES } from "./data/sources.js";
import { Timeline } from "./data/timeline.js";
import { needlesOf } from "./text/needles.js";
import { isFoldable, shapeOf } from "./text/shape.js";
import { COMMANDS } from "./view/commands.js";
import { look, nextZone, toggleWrap } from "./view/look.js";

/** @import {Entry} from "./data/entry.js" */
/** @import {Setting} from "./view/row.js" */
/** @import {Scroller} from "./view/scroller.js" */
/** @import {Signal} from "./vendor/signals.js" */

const SAID_MS = 4000;
const MOST_TICKS = 200;

/**
 * Where the first line on the screen lies, in the stream it belongs to.
 * @typedef {object} Place
 * @property {string} path
 * @property {number} offset
 * @property {number} size
 * @property {number} fraction
 * @property {number | null} time
 */

export class App {
  sources = new Sources();
  search = new Search();
  timeline = new Timeline(() => this.live.restart());
  live = new Live({
    onStreams: (statuses, whole, isBack) => {
      this.sources.take(statuses, whole);
      if (isBack) this.timeline.returned();
      if (whole) void this.timeline.catchUp();
    },
    onLines: (event) => this.timeline.takeLines(event),
    onSkip: (event) => this.timeline.takeSkip(event),
    wanted: () => this.timeline.wanted(),
  });
  commands = COMMANDS;
  /** @type {Scroller | null} */
  scroller = null;

  /** Paths. @type {Signal<string[]>} */
  chosen = signal([]);
  lanes = computed(() => lanesOf(this.chosen.value));
  now = signal(Date.now());
  /** Whether what is known of the streams may be old. */
  isStale = computed(() => this.live.link.value.state !== "live");
  /** @type {Signal<Place | null>} */
  place = signal(null);
  sourceFilter = signal("");
  stateFilter = signal("");
  pattern = signal("");
  isCase = signal(false);
  onlyChosen = signal(false);
  searching = signal(false);
  /** Index of the hit that was gone to. */
  hit = signal(-1);
  help = signal(false);
  details = signal(false);
  drawer = signal(false);
  /** A word to the person. */
  said = signal("");

  /** What was searched for and found, by the keys of entries. @type {import("./vendor/signals.js").ReadonlySignal<Map<string, string[]>>} */
  needles = computed(() => {
    const hits = this.searching.value ? this.search.found.value.hits : [];
    return new Map(hits.map((hit) => [`${hit.stream}@${hit.offset}`, needlesOf(hit)]));
  });

  /** @type {import("./vendor/signals.js").ReadonlySignal<Setting>} */
  setting = computed(() => ({
    ...look.value,
    lanes: this.lanes.value,
    needles: this.needles.value,
    onFold: (entry) => this.scroller?.fold(entry),
    onSelect: (entry) => this.select(entry),
    onSkip: (entry) => void this.goTo(entry.stream, entry.offset),
  }));

  shownSources = computed(() => {
    const text = this.sourceFilter.value.toLowerCase();
    const state = this.stateFilter.value;
    return this.sources.list.value.filter(
      (source) => (!text || source.path.toLowerCase().includes(text)) && (!state || source.status.value.state === state),
    );
  });

  /** What lies where on the rail. */
  ticks = computed(() => {
    const place = this.place.value;
    if (place === null || place.size === 0) return [];
    const { path, size } = place;
    const gaps = (this.sources.get(path)?.status.value.gaps ?? []).map((gap) => ({ kind: "gap", fraction: gap.offset / size }));
    const hits = this.searching.value ? this.search.found.value.hits.filter((hit) => hit.stream === path) : [];
    return gaps.concat(hits.map((hit) => ({ kind: "hit", fraction: hit.offset / size }))).slice(0, MOST_TICKS);
  });

  /** What was searched for last. @type {import("./data/address.js").Sought | null} */
  #sought = null;
  #saying = 0;

  /** Begin: what the address says, else the stream that moved last. */
  start() {
    setInterval(() => (this.now.value = Date.now()), 500);
    setInterval(() => this.isStale.value || this.sources.sample(), 1000);
    addEventListener("popstate", () => void this.show());
    const place = placeOf(location.hash);
    if (place.streams.length > 0) void this.show();
    else {
      this.live.restart();
      const end = effect(() => {
        if (!this.sources.known.value || this.sources.list.value.length === 0) return;
        untracked(() => this.#chooseFirst());
        queueMicrotask(() => end());
      });
    }
  }

  /** Show what the address says. */
  async show() {
    const place = placeOf(location.hash);
    if (place.streams.length > MOST_STREAMS) this.say(`only the first ${MOST_STREAMS} streams are shown`);
    this.chosen.value = place.streams.slice(0, MOST_STREAMS);
    this.#showSearch(place.sought ?? null);
    this.timeline.least.value = Math.max(0, LEVELS.indexOf(/** @type {import("./data/types.js").Level} */ (place.level)));
    if (place.line && this.chosen.value.includes(place.line.stream)) await this.#reveal(place.line.stream, place.line.offset);
    else await this.timeline.openEnd(this.chosen.value);
  }

  #chooseFirst() {
    if (this.chosen.value.length > 0) return;
    const byAge = [...this.sources.list.value].sort((a, b) => (b.dataAt ?? 0) - (a.dataAt ?? 0));
    const rank = (/** @type {import("./data/sources.js").Source} */ one) => (STATES.indexOf(one.status.peek().state) < 0 ? 99 : one.status.peek().state === "live" ? 0 : 1);
    byAge.sort((a, b) => rank(a) - rank(b));
    history.replaceState(null, "", fragmentOf({ ...placeOf(location.hash), streams: [byAge[0].path] }));
    void this.show();
  }

  // -- streams

  /** @param {string[]} paths */
  chooseStreams(paths) {
    this.#visit(paths, null);
    void this.show();
  }

  /** @param {string} path */
  toggleStream(path) {
    const { value } = this.chosen;
    this.chooseStreams(value.includes(path) ? value.filter((one) => one !== path) : [...value, path]);
  }

  /** @param {number} step */
  nextStream(step) {
    const paths = this.shownSources.value.map((source) => source.path);
    const at = paths.indexOf(this.chosen.value[0]);
    if (paths.length > 0) this.chooseStreams([paths[(at + step + paths.length) % paths.length]]);
  }

  focusSources() {
    this.drawer.value = true;
    document.getElementById("source-filter")?.focus();
  }

  /** Show the first one that the filter has found. */
  chooseFound() {
    const [first] = this.shownSources.value;
    if (!first) return this.say("no stream of this name");
    this.drawer.value = false;
    this.chooseStreams([first.path]);
  }

  // -- places

  /**
   * Go to a byte, and remember it in the address.
   * @param {string} path
   * @param {number} offset
   */
  async goTo(path, offset) {
    const streams = this.chosen.value.includes(path) ? this.chosen.value : [path];
    this.#visit(streams, { stream: path, offset });
    this.drawer.value = false;
    await this.show();
  }

  /** @param {number} fraction of the file that is looked at */
  async jumpToFraction(fraction) {
    const path = this.#mainPath();
    if (path === null) return;
    if (fraction >= 1) return this.jumpToLive();
    const size = this.#sizeOf(path);
    const entry = await this.timeline.openAt(this.chosen.value, path, Math.floor(fraction * size));
    if (entry && this.scroller) {
      this.scroller.reveal(entry);
      this.scroller.selected.value = null;
    }
  }

  async jumpToLive() {
    if (this.scroller) this.scroller.selected.value = null;
    if (placeOf(location.hash).line) this.#visit(this.chosen.value, null);
    await this.timeline.resume();
  }

  toggleFollow() {
    if (this.timeline.follow.value) this.timeline.pause();
    else void this.jumpToLive();
  }

  /** @param {Entry | null} entry the first one on the screen */
  watchPlace(entry) {
    if (entry === null) {
      this.place.value = null;
      return;
    }
    const size = Math.max(this.#sizeOf(entry.stream), entry.end);
    const isEnd = untracked(() => this.timeline.follow.value);
    const time = entry.line?.time ?? entry.line?.arrived ?? null;
    this.place.value = { path: entry.stream, offset: entry.offset, size, fraction: isEnd ? 1 : size > 0 ? entry.offset / size : 0, time };
  }

  // -- lines

  /** @param {Entry} entry */
  select(entry) {
    if (this.scroller) this.scroller.selected.value = this.scroller.selected.value === entry ? null : entry;
  }

  unfold() {
    const entry = this.scroller?.selected.value;
    if (entry?.line && isFoldable(shapeOf(entry))) this.scroller?.fold(entry);
    else this.say(entry ? "nothing to unfold in this line" : "select a line first: j and k");
  }

  /** @param {1 | -1} step */
  async nextError(step) {
    await this.timeline.settled(); // right after another stream was chosen its lines are still on their way
    const isError = (/** @type {Entry} */ entry) => entry.line !== null && !entry.line.more && (entry.line.level === "error" || entry.line.level === "fatal");
    if (!this.scroller?.seek(step, isError)) this.say(`no error ${step > 0 ? "below" : "above"} among the loaded lines: search with /`);
  }

  async copyLink() {
    const entry = this.scroller?.selected.value;
    if (!entry) return this.say("select a line first: j and k");
    const line = { stream: entry.stream, offset: entry.offset };
    const link = new URL(fragmentOf({ streams: this.chosen.value, line, level: "" }), location.href).href;
    history.replaceState(null, "", link);
    this.#noteSearch();
    try {
      await navigator.clipboard.writeText(link);
      this.say("link copied");
    } catch {
      // Only secure origins may write to the clipboard.
      this.say("the link is in the address bar");
    }
  }

  /** @param {number} least index in LEVELS */
  setLevel(least) {
    const entry = this.scroller?.first.value;
    const followed = this.timeline.follow.value;
    this.timeline.least.value = least;
    history.replaceState(null, "", fragmentOf({ ...placeOf(location.hash), level: least > 0 ? LEVELS[least] : "" }));
    if (followed || !entry) void this.timeline.openEnd(this.chosen.value);
    else void this.#reveal(entry.stream, entry.offset);
  }

  toggleWrap = toggleWrap;
  nextZone = nextZone;

  // -- search

  openSearch() {
    this.searching.value = true;
    this.#noteSearch();
    const box = /** @type {HTMLInputElement | null} */ (document.getElementById("search"));
    box?.focus();
    box?.select();
  }

  closeSearch() {
    this.searching.value = false;
    this.search.stop();
    this.#noteSearch();
  }

  /**
   * Show the results that the address speaks of, or none.
   * @param {import("./data/address.js").Sought | null} sought
   */
  #showSearch(sought) {
    if (JSON.stringify(sought) === JSON.stringify(this.searching.value ? this.#sought : null)) return;
    if (sought === null) {
      this.closeSearch();
      return;
    }
    this.pattern.value = sought.pattern;
    this.isCase.value = sought.isCase;
    this.onlyChosen.value = sought.onlyChosen;
    void this.runSearch();
  }

  /** The address says what is searched for. */
  #noteSearch() {
    const place = placeOf(location.hash);
    history.replaceState(null, "", fragmentOf({ ...place, sought: this.searching.value ? this.#sought : null }));
  }

  async runSearch() {
    if (this.pattern.value === "") return;
    this.searching.value = true;
    this.details.value = false;
    this.hit.value = -1;
    this.#sought = { pattern: this.pattern.value, isCase: this.isCase.value, onlyChosen: this.onlyChosen.value };
    this.#noteSearch();
    await this.search.run(this.pattern.value, this.isCase.value, this.onlyChosen.value ? this.chosen.value : []);
  }

  toggleCase() {
    this.isCase.value = !this.isCase.value;
    void this.runSearch();
  }

  toggleOnlyChosen() {
    this.onlyChosen.value = !this.onlyChosen.value;
    void this.runSearch();
  }

  /** @param {number} step */
  nextHit(step) {
    const { hits } = this.search.found.value;
    if (hits.length === 0) return this.say("no hit: search with /");
    const index = this.hit.value + step;
    if (index < 0 || index >= hits.length) return this.say(step > 0 ? "that was the oldest hit" : "that was the newest hit");
    void this.goToHit(index);
  }

  /** @param {number} index */
  async goToHit(index) {
    const hit = this.search.found.value.hits[index];
    this.hit.value = index;
    await this.goTo(hit.stream, hit.offset);
  }

  // -- the rest

  toggleDetails() {
    if (this.#isOne("details")) this.details.value = !this.details.value;
  }

  download() {
    if (!this.#isOne("a download")) return;
    const link = document.getElementById("download");
    if (link) link.click();
    else this.say("nothing is known of this stream yet");
  }

  /** Close the topmost of what is open. */
  close() {
    if (this.drawer.value) this.drawer.value = false;
    else if (this.searching.value) this.closeSearch();
    else if (this.details.value) this.details.value = false;
    else if (this.scroller) this.scroller.selected.value = null;
  }

  /** @param {string} text */
  say(text) {
    this.said.value = text;
    clearTimeout(this.#saying);
    this.#saying = setTimeout(() => (this.said.value = ""), SAID_MS);
  }

  /**
   * @param {string} path
   * @param {number} offset
   */
  async #reveal(path, offset) {
    const entry = await this.timeline.openAt(this.chosen.value, path, offset);
    if (entry) this.scroller?.reveal(entry, true);
  }

  /**
   * @param {string[]} streams
   * @param {{stream: string, offset: number} | null} line
   */
  #visit(streams, line) {
    const level = LEVELS[this.timeline.least.value];
    const sought = this.searching.value ? this.#sought : null;
    const fragment = fragmentOf({ streams, line, level: this.timeline.least.value > 0 ? level : "", sought });
    if (fragment !== location.hash) history.pushState(null, "", fragment);
  }

  /** Whether one stream is shown; else says what takes one. @param {string} what */
  #isOne(what) {
    const isOne = this.chosen.value.length === 1;
    if (!isOne) this.say(`${what} can be had of one stream: choose one alone`);
    return isOne;
  }

  #mainPath() {
    const { value } = this.chosen;
    if (value.length === 0) return null;
    return value.reduce((most, path) => (this.#sizeOf(path) > this.#sizeOf(most) ? path : most));
  }

  /** @param {string} path */
  #sizeOf(path) {
    const known = this.sources.get(path)?.status.peek().size ?? 0;
    return Math.max(known, this.timeline.reel(path)?.size ?? 0);
  }
}
