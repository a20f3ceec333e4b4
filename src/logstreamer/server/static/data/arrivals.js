/** Arrivals: what the live connection brings, put at the end of the stretch: each line once, those of several streams by time. */

import { markEntry, passes, skipEntry, woven } from "./entry.js";
import { Reorder } from "./merge.js";

/** @import {Entry} from "./entry.js" */
/** @import {Reel} from "./reel.js" */
/** @import {Stretch} from "./stretch.js" */
/** @import {Line, LinesEvent, Mark, SkipEvent} from "./types.js" */
/** @import {Signal} from "../vendor/signals.js" */

const WINDOW_MS = 1000;
const FLUSH_MS = 100;
/** Entries at the end among which a mark that comes again is looked for. */
const NEAR = 1000;
/** After a loss of the connection senders may still be on their way back to a receiver that was restarted. */
const RETURN_MS = 15000;
/** A stream of which nothing came for so long is not waited for. */
const TALKING_MS = 3000;

export class Arrivals {
  #stretch;
  #follow;
  #least;
  #reorder = new Reorder(WINDOW_MS);
  #flushing = 0;
  /** @type {Map<string, number>} */
  #heardAt = new Map();
  /** Until then what is late takes its place by time: nobody was slow, the streams came back one after the other. */
  #returnsUntil = -Infinity;

  /**
   * @param {Stretch} stretch
   * @param {Signal<boolean>} follow whether the view stays at the end
   * @param {Signal<number>} least see `passes`
   */
  constructor(stretch, follow, least) {
    this.#stretch = stretch;
    this.#follow = follow;
    this.#least = least;
  }

  /** The end of the stretch is that of the streams: what comes from now on adjoins it. */
  begin() {
    clearTimeout(this.#flushing);
    const { entries, reels } = this.#stretch;
    // Whoever has not spoken yet may be about to.
    this.#heardAt = new Map(reels.map((reel) => [reel.path, performance.now()]));
    this.#reorder.reset(entries[entries.length - 1]?.order ?? -Infinity);
  }

  /** The connection was lost and stands again. */
  returned() {
    this.#returnsUntil = performance.now() + RETURN_MS;
  }

  /** Nothing is added any more. */
  stop() {
    clearTimeout(this.#flushing);
  }

  /**
   * @param {Reel} reel
   * @param {LinesEvent} event
   * @param {Line[]} fresh those of its lines that are new
   */
  take(reel, event, fresh) {
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
   * @param {Reel} reel
   * @param {SkipEvent} event
   * @param {number} from
   */
  skip(reel, event, from) {
    reel.to = reel.belowTo = event.to;
    this.#add(reel, [skipEntry(reel.path, from, event.to)]);
  }

  /**
   * What happened at the very end of a stream, where no line follows.
   * @param {Reel} reel
   * @param {Mark[]} marks
   */
  mark(reel, marks) {
    const fresh = this.#newMarks(reel, marks).filter((mark) => mark.offset <= reel.heard);
    if (fresh.length > 0) this.#add(reel, woven(reel.path, [], fresh));
  }

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
    this.#stretch.replace(shown, line);
    if (!line.open) reel.openEntry = null;
    return true;
  }

  /**
   * Those that are not shown yet: after a reconnection they come again.
   * @param {Reel} reel
   * @param {Mark[]} marks
   */
  #newMarks(reel, marks) {
    if (marks.length === 0) return [];
    const known = new Set(this.#stretch.entries.slice(-NEAR).map((entry) => entry.key));
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
    const shown = entries.filter((entry) => passes(entry, this.#least.value));
    if (this.#stretch.reels.length === 1) this.#append(shown);
    else {
      this.#reorder.put(shown, performance.now());
      this.#flush();
    }
  }

  #flush() {
    clearTimeout(this.#flushing);
    if (!this.#stretch.attached.value) return;
    const now = performance.now();
    const talking = this.#stretch.reels.filter((reel) => now - (this.#heardAt.get(reel.path) ?? -Infinity) < TALKING_MS);
    const ready = this.#reorder.take(now, Math.min(...talking.map((reel) => reel.lastOrder)));
    if (now < this.#returnsUntil) this.#stretch.place(ready, !this.#follow.value);
    else this.#append(ready);
    if (this.#reorder.size > 0) this.#flushing = setTimeout(() => this.#flush(), FLUSH_MS);
  }

  /** @param {Entry[]} entries */
  #append(entries) {
    if (entries.length === 0) return;
    this.#stretch.append(entries, !this.#follow.value);
    this.#stretch.changed();
  }
}
