/** Heights: where each entry lies, in pixels from the first one's top. */

/** @import {Entry} from "../data/entry.js" */

export class Heights {
  #tops = new Float64Array(1);
  #count = 0;

  /**
   * @param {Entry[]} entries
   * @param {(entry: Entry) => number} estimate of one that was not measured yet
   */
  build(entries, estimate) {
    if (this.#tops.length < entries.length + 1) this.#tops = new Float64Array(Math.ceil(entries.length * 1.5) + 64);
    let top = 0;
    for (let index = 0; index < entries.length; index++) {
      this.#tops[index] = top;
      top += entries[index].height || estimate(entries[index]);
    }
    this.#tops[entries.length] = top;
    this.#count = entries.length;
  }

  get total() {
    return this.#tops[this.#count];
  }

  /** Top of an entry; of the one after the last: the total. @param {number} index */
  top(index) {
    return this.#tops[Math.max(0, Math.min(index, this.#count))];
  }

  /** The entry at a height, the nearest one outside of all. @param {number} y */
  indexAt(y) {
    let low = 0;
    let high = this.#count - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.#tops[middle] <= y) low = middle;
      else high = middle - 1;
    }
    return Math.max(0, low);
  }
}
