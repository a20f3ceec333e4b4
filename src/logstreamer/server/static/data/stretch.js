/**
 * Stretch: the entries that can be scrolled through without a request: a part of each chosen stream, merged by time. It
 * is of bounded size: what is added at one end is forgotten at the other.
 */

import { signal } from "../vendor/signals.js";
import { weightOf } from "./entry.js";
import { byTime } from "./merge.js";

/** @import {Entry} from "./entry.js" */
/** @import {Reel} from "./reel.js" */

const MOST_ENTRIES = 4000;
const MOST_WEIGHT = 8e6;
const SLACK = 1.25;
/** How much more is kept while somebody reads in it. */
const READING = 2;

export class Stretch {
  /** @type {Reel[]} */
  reels = [];
  /** @type {Entry[]} */
  entries = [];
  /** Grows with every change of the entries. */
  version = signal(0);
  /** Whether the end of the entries is the end of the streams, and what comes is added. */
  attached = signal(false);

  #weight = 0;

  /** @param {string} path */
  reel(path) {
    return this.reels.find((reel) => reel.path === path);
  }

  /** Whether there is nothing above the entries. */
  get atStart() {
    return this.reels.every((reel) => reel.atStart && reel.above.length === 0);
  }

  /** Forget every entry. */
  clear() {
    this.entries = [];
    this.#weight = 0;
  }

  changed() {
    this.version.value = this.version.peek() + 1;
  }

  /**
   * Add what came, at the lower end.
   * @param {Entry[]} entries
   * @param {boolean} isRead whether somebody reads above: then nothing is forgotten there, and in the end it is detached
   */
  append(entries, isRead) {
    for (const entry of entries) this.#push(entry);
    if (!isRead) this.trimAbove();
    else if (this.#isFull(READING)) this.#detach();
  }

  /**
   * Add what came, by its time: above entries of other streams that are later.
   * @param {Entry[]} entries in the order of their times
   * @param {boolean} isRead see `append`
   */
  place(entries, isRead) {
    if (entries.length === 0) return;
    for (const stream of new Set(entries.map((entry) => entry.stream))) {
      const own = entries.filter((entry) => entry.stream === stream);
      let first = this.entries.length;
      while (first > 0 && this.entries[first - 1].order > own[0].order && this.entries[first - 1].stream !== stream) first--;
      for (const entry of byTime(this.entries.splice(first), own)) this.entries.push(entry);
      for (const entry of own) {
        entry.late = false;
        this.#weight += weightOf(entry);
      }
    }
    this.append([], isRead);
    this.changed();
  }

  /**
   * Add what was fetched, at the lower end.
   * @param {Entry[]} entries
   */
  appendFetched(entries) {
    for (const entry of entries) {
      this.#push(entry);
      const reel = this.reel(entry.stream);
      if (reel) reel.to = entry.end;
    }
    this.trimAbove();
  }

  /**
   * Add what was fetched, at the upper end.
   * @param {Entry[]} entries
   */
  prepend(entries) {
    if (entries.length === 0) return;
    this.entries = entries.concat(this.entries);
    for (const entry of entries) {
      this.#weight += weightOf(entry);
      const reel = this.reel(entry.stream);
      if (reel) reel.from = Math.min(reel.from, entry.offset);
    }
    if (this.#isFull(SLACK)) this.#trimBelow();
    this.changed();
  }

  /**
   * An entry got another line.
   * @param {Entry} entry
   * @param {import("./types.js").Line} line
   */
  replace(entry, line) {
    this.#weight += line.text.length - (entry.line?.text.length ?? 0);
    entry.line = line;
    entry.end = line.end;
    entry.height = 0;
    entry.revision++;
    this.changed();
  }

  /** Forget what is too much at the upper end. */
  trimAbove() {
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

  /** What comes is no longer added: the stretch is full while somebody reads in it. */
  #detach() {
    this.attached.value = false;
    for (const reel of this.reels) reel.cutBelow(this.entries.findLast((entry) => entry.stream === reel.path));
  }

  /** @param {Entry} entry */
  #push(entry) {
    this.entries.push(entry);
    this.#weight += weightOf(entry);
  }

  /** @param {number} factor */
  #isFull(factor) {
    return this.entries.length > MOST_ENTRIES * factor || this.#weight > MOST_WEIGHT * factor;
  }
}
