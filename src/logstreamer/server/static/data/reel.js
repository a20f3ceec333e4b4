/** Reel: one chosen stream: the stretch of it that is shown, and what was fetched at its two ends and not shown yet. */

import * as api from "./api.js";
import { passes, woven } from "./entry.js";

/** @import {Entry} from "./entry.js" */
/** @import {LinesAnswer, Mark} from "./types.js" */

export class Reel {
  /** Bytes that are shown: [from, to). */
  from = 0;
  to = 0;
  /** Fetched and not shown, in the order of the file; beyond them the bytes from aboveFrom up and belowTo down. */
  /** @type {Entry[]} */
  above = [];
  aboveFrom = 0;
  /** @type {Entry[]} */
  below = [];
  belowTo = 0;
  atStart = false;
  atEnd = false;
  size = 0;
  /** How far the live connection has come; -1: it was not asked yet. */
  heard = -1;
  /** The last line, while it has no newline. @type {Entry | null} */
  openEntry = null;
  /** Orders of the first and the last entry that is known. */
  firstOrder = Infinity;
  lastOrder = -Infinity;

  /** @param {string} path */
  constructor(path) {
    this.path = path;
  }

  /**
   * Begin anew with an answer; nothing is shown yet.
   * @param {LinesAnswer} answer
   * @param {number} pivot entries before this byte wait above, the others below
   * @param {number} least level, see `passes`
   */
  open(answer, pivot, least) {
    this.openEntry = null;
    const entries = this.#entries(answer);
    this.firstOrder = this.lastOrder = -Infinity;
    this.#orderDown(entries);
    this.firstOrder = entries[0]?.order ?? Infinity;
    this.from = this.to = pivot;
    this.aboveFrom = answer.from;
    this.belowTo = settledEnd(answer);
    this.size = answer.size;
    this.atStart = answer.start;
    this.atEnd = answer.end;
    this.heard = answer.size;
    const shown = entries.filter((entry) => passes(entry, least));
    this.above = shown.filter((entry) => entry.offset < pivot || (entry.mark !== null && entry.offset === pivot));
    this.below = shown.slice(this.above.length);
  }

  /**
   * Fetch more above.
   * @param {number} count lines
   * @param {number} least
   * @param {AbortSignal} signal
   * @returns {Promise<number>} lines that were looked at
   */
  async fetchAbove(count, least, signal) {
    const asked = this.aboveFrom;
    const answer = await api.lines(this.path, asked, count, 0, signal);
    if (this.aboveFrom !== asked) return 0; // The shown stretch was cut meanwhile: this page does not adjoin it.
    const entries = this.#entries({ ...answer, end: false, to: Math.min(answer.to, this.aboveFrom) });
    for (const entry of entries.slice().reverse()) {
      this.firstOrder = Math.min(this.firstOrder, timeOf(entry) ?? this.firstOrder);
      entry.order = this.firstOrder;
    }
    this.atStart = answer.start || answer.from >= this.aboveFrom;
    this.aboveFrom = Math.min(this.aboveFrom, answer.from);
    this.above = entries.filter((entry) => passes(entry, least)).concat(this.above);
    return answer.lines.length;
  }

  /**
   * Fetch more below.
   * @param {number} count lines
   * @param {number} least
   * @param {AbortSignal} signal
   * @returns {Promise<number>} lines that were looked at
   */
  async fetchBelow(count, least, signal) {
    const from = this.belowTo;
    const answer = await api.lines(this.path, from, 0, count, signal);
    if (this.belowTo !== from) return 0;
    const entries = this.#entries(answer).filter((entry) => entry.offset >= from);
    this.#orderDown(entries);
    this.atEnd = answer.end || answer.to <= this.belowTo;
    this.belowTo = Math.max(this.belowTo, settledEnd(answer));
    this.size = answer.size;
    this.below = this.below.concat(entries.filter((entry) => passes(entry, least)));
    return answer.lines.length;
  }

  /**
   * Entries that came live, in order.
   * @param {Entry[]} entries
   */
  order(entries) {
    this.#orderDown(entries);
  }

  /**
   * The shown stretch was cut: what was fetched beyond it is forgotten.
   * @param {Entry | undefined} first the first entry that is still shown
   */
  cutAbove(first) {
    this.from = first ? first.offset : this.to;
    this.firstOrder = first ? first.order : this.lastOrder;
    this.above = [];
    this.aboveFrom = this.from;
    this.atStart = false;
  }

  /** @param {Entry | undefined} last the last entry that is still shown */
  cutBelow(last) {
    this.to = last ? last.end : this.from;
    this.lastOrder = last ? last.order : this.firstOrder;
    this.below = [];
    this.belowTo = this.to;
    this.atEnd = false;
    this.openEntry = null;
  }

  /**
   * @param {LinesAnswer} answer
   * @returns {Entry[]}
   */
  #entries(answer) {
    // A mark at the very end of a page stands at the head of the next one, unless there is none.
    const belongs = (/** @type {Mark} */ mark) =>
      mark.offset >= answer.from && (mark.offset < answer.to || (answer.end && mark.offset <= answer.to));
    const lines = answer.lines.filter((line) => line.offset < answer.to || line.open === true);
    return woven(this.path, lines, (answer.marks ?? []).filter(belongs));
  }

  /** @param {Entry[]} entries */
  #orderDown(entries) {
    if (entries.length === 0) return;
    // What stands above the first line that has a time belongs to it.
    if (this.lastOrder === -Infinity) this.lastOrder = timeOf(entries.find((entry) => timeOf(entry) !== null) ?? entries[0]) ?? -Infinity;
    for (const entry of entries) {
      this.lastOrder = Math.max(this.lastOrder, timeOf(entry) ?? this.lastOrder);
      entry.order = this.lastOrder;
    }
  }
}

/**
 * The end of the lines that will not change: one without its newline comes again, when it has grown.
 * @param {LinesAnswer} answer
 */
function settledEnd(answer) {
  const last = answer.lines[answer.lines.length - 1];
  return last?.open ? last.offset : answer.to;
}

/**
 * Marks have none: when something happened to a stream says nothing of the times its lines bear.
 * @param {Entry} entry
 * @returns {number | null}
 */
function timeOf(entry) {
  return entry.line?.time ?? entry.line?.arrived ?? null;
}
