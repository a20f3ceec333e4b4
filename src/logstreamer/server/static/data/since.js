/** Since: what came while nobody followed. */

import { signal } from "../vendor/signals.js";

/** @import {Line} from "./types.js" */

export class Since {
  /** @type {import("../vendor/signals.js").Signal<{lines: number, bytes: number, exact: boolean}>} */
  count = signal({ lines: 0, bytes: 0, exact: true });

  reset() {
    this.count.value = { lines: 0, bytes: 0, exact: true };
  }

  /**
   * @param {Line[]} lines
   * @param {number} bytes
   * @param {boolean} exact whether it is known that these are all
   */
  add(lines, bytes, exact) {
    const before = this.count.value;
    const whole = lines.reduce((sum, line) => sum + (line.open ? 0 : 1), 0);
    if (whole === 0) return;
    this.count.value = { lines: before.lines + whole, bytes: before.bytes + Math.max(0, bytes), exact: before.exact && exact };
  }

  /** Bytes in which nobody counted the lines. @param {number} bytes */
  skip(bytes) {
    const before = this.count.value;
    this.count.value = { lines: before.lines, bytes: before.bytes + bytes, exact: false };
  }
}
