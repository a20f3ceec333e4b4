/** Merging several streams by time. Within one stream the order of the file always stays. */

/** @import {Entry} from "./entry.js" */

/** @typedef {{above: Entry[], below: Entry[], atStart: boolean, atEnd: boolean}} Ends */

/**
 * Take the newest of what waits above, as far as it is certain: until one stream has nothing left but may have more.
 * @param {Ends[]} reels
 * @param {number} count most entries
 * @returns {Entry[]} oldest first
 */
export function takeAbove(reels, count) {
  /** @type {Entry[]} */
  const taken = [];
  while (taken.length < count && reels.every((reel) => reel.above.length > 0 || reel.atStart)) {
    const newest = pick(reels, (reel) => reel.above[reel.above.length - 1], (a, b) => a > b);
    if (newest === undefined) break;
    taken.push(/** @type {Entry} */ (newest.above.pop()));
  }
  return taken.reverse();
}

/**
 * The same with the oldest of what waits below.
 * @param {Ends[]} reels
 * @param {number} count most entries
 * @returns {Entry[]} oldest first
 */
export function takeBelow(reels, count) {
  /** @type {Entry[]} */
  const taken = [];
  const places = new Map(reels.map((reel) => [reel, 0]));
  const left = (/** @type {Ends} */ reel) => reel.below[places.get(reel) ?? 0];
  while (taken.length < count && reels.every((reel) => left(reel) !== undefined || reel.atEnd)) {
    const oldest = pick(reels, left, (a, b) => a < b);
    if (oldest === undefined) break;
    taken.push(left(oldest));
    places.set(oldest, (places.get(oldest) ?? 0) + 1);
  }
  for (const [reel, place] of places) reel.below = reel.below.slice(place);
  return taken;
}

/**
 * @param {Ends[]} reels
 * @param {(reel: Ends) => Entry | undefined} entryOf
 * @param {(a: number, b: number) => boolean} isBetter
 * @returns {Ends | undefined}
 */
function pick(reels, entryOf, isBetter) {
  /** @type {Ends | undefined} */
  let best;
  let order = 0;
  for (const reel of reels) {
    const entry = entryOf(reel);
    if (entry !== undefined && (best === undefined || isBetter(entry.order, order))) {
      best = reel;
      order = entry.order;
    }
  }
  return best;
}

/**
 * Both, each in its own order; of equal times those of *entries* first.
 * @param {Entry[]} entries
 * @param {Entry[]} others
 * @returns {Entry[]}
 */
export function byTime(entries, others) {
  /** @type {Entry[]} */
  const merged = [];
  let place = 0;
  for (const other of others) {
    while (place < entries.length && entries[place].order <= other.order) merged.push(entries[place++]);
    merged.push(other);
  }
  return merged.concat(entries.slice(place));
}

/** Live entries of several streams, held for a moment so that they can be shown in the order of their times. */
export class Reorder {
  /** @type {{entry: Entry, at: number}[]} */
  #held = [];
  #shown = -Infinity;
  /** The stream whose late lines were shown last, with no other line behind them. */
  #lateOf = "";

  /** @param {number} window ms for which an entry waits for older ones, at most */
  constructor(window) {
    this.window = window;
  }

  get size() {
    return this.#held.length;
  }

  /**
   * @param {Entry[]} entries
   * @param {number} now ms
   */
  put(entries, now) {
    for (const entry of entries) this.#held.push({ entry, at: now });
  }

  /**
   * The entries whose turn it is, in order. Of lines of one stream that come after a later one was shown, the first is
   * marked as late.
   * @param {number} now ms
   * @param {number} settled nothing older than this will come: the least of what was heard last of each stream
   * @returns {Entry[]}
   */
  take(now, settled) {
    const due = this.#held.reduce((most, one) => (now - one.at >= this.window ? Math.max(most, one.entry.order) : most), settled);
    const ready = this.#held.filter((one) => one.entry.order <= due).map((one) => one.entry);
    this.#held = this.#held.filter((one) => one.entry.order > due);
    ready.sort((a, b) => a.order - b.order);
    for (const entry of ready) {
      if (entry.line !== null && !entry.line.more) {
        const isLate = entry.order < this.#shown;
        entry.late = isLate && this.#lateOf !== entry.stream;
        this.#lateOf = isLate ? entry.stream : "";
      }
      this.#shown = Math.max(this.#shown, entry.order);
    }
    return ready;
  }

  /** Begin anew behind an entry of this order. @param {number} order */
  reset(order) {
    this.#held = [];
    this.#shown = order;
    this.#lateOf = "";
  }
}
