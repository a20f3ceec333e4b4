/** Filling: fetches more at either end of the stretch, a page at a time, until enough passes the filter. */

import { signal } from "../vendor/signals.js";
import { takeAbove, takeBelow } from "./merge.js";

/** @import {Stretch} from "./stretch.js" */
/** @import {Signal} from "../vendor/signals.js" */

const PAGE = 400;
const FILTERED_PAGE = 4000;
/** Lines that one request for more looks at, when few of them pass the filter. */
const MOST_LOOKED_AT = 200000;

export class Filling {
  /** Whether looking further up was given up because nothing passed the filter. */
  tired = signal(false);
  /** Whether it is at work at that end. */
  above = false;
  below = false;

  #stretch;
  #least;

  /**
   * @param {Stretch} stretch
   * @param {Signal<number>} least see `passes`
   */
  constructor(stretch, least) {
    this.#stretch = stretch;
    this.#least = least;
  }

  /** Lines of one request. */
  get page() {
    return this.#least.value > 0 ? FILTERED_PAGE : PAGE;
  }

  /** Begin anew: whatever is under way was aborted. */
  reset() {
    this.above = this.below = false;
    this.tired.value = false;
  }

  /**
   * @param {AbortSignal} signal
   * @param {number} count most entries
   */
  async fillAbove(signal, count = PAGE) {
    const { reels } = this.#stretch;
    this.above = true;
    let looked = 0;
    try {
      while (count > 0 && !signal.aborted) {
        const taken = takeAbove(reels, count);
        count -= taken.length;
        this.#stretch.prepend(taken);
        const hungry = reels.filter((reel) => reel.above.length === 0 && !reel.atStart);
        if (count === 0 || hungry.length === 0) break;
        if (looked > MOST_LOOKED_AT) {
          this.tired.value = true;
          break;
        }
        const counts = await Promise.all(hungry.map((reel) => reel.fetchAbove(this.page, this.#least.value, signal)));
        looked += counts.reduce((sum, one) => sum + one, 0);
      }
    } finally {
      if (!signal.aborted) this.above = false;
    }
    if (!signal.aborted) this.#stretch.changed();
  }

  /**
   * @param {AbortSignal} signal
   * @param {number} count most entries
   * @returns {Promise<boolean>} whether that was all there is
   */
  async fillBelow(signal, count = PAGE) {
    const { reels } = this.#stretch;
    this.below = true;
    let isAll = false;
    try {
      while (count > 0 && !signal.aborted) {
        const taken = takeBelow(reels, count);
        count -= taken.length;
        this.#stretch.appendFetched(taken);
        const hungry = reels.filter((reel) => reel.below.length === 0 && !reel.atEnd);
        isAll = hungry.length === 0 && reels.every((reel) => reel.below.length === 0);
        if (isAll) break;
        if (count > 0) await Promise.all(hungry.map((reel) => reel.fetchBelow(this.page, this.#least.value, signal)));
      }
    } finally {
      if (!signal.aborted) this.below = false;
    }
    if (!signal.aborted) this.#stretch.changed();
    return isAll && !signal.aborted;
  }
}
