/** Sources: every stream the receiver knows, with what it was last heard to do. */

import { signal } from "../vendor/signals.js";

/** @import {Status} from "./types.js" */
/** @import {Signal} from "../vendor/signals.js" */

const SAMPLES = 48;

/** States in the order in which a person wants to see them. */
export const STATES = ["dead", "failed", "disk full", "stalled", "refused by site", "behind", "live", "quiet", "waiting", "unknown", "stopped", "finished"];

/** One stream. Ages in *status* are turned into moments of this tab's clock when they come. */
export class Source {
  /** @param {Status} status */
  constructor(status) {
    this.path = status.path;
    /** @type {Signal<Status>} */
    this.status = signal(status);
    /** @type {Signal<number[]>} bytes a second, oldest first */
    this.rates = signal([]);
    /** When bytes, and when anything, came last: ms of Date.now(); null: not known. @type {number | null} */
    this.dataAt = null;
    /** @type {number | null} */
    this.beatAt = null;
    /** When its last run was over. @type {number | null} */
    this.endedAt = null;
    /** @type {{size: number, at: number}} */
    this.sampled = { size: status.size, at: Date.now() };
    this.take(status);
  }

  /** @param {Status} status */
  take(status) {
    const now = Date.now();
    // Of one whose sender is gone the receiver knows no ages any more: what was heard before still holds.
    if (status.last_data != null) this.dataAt = now - status.last_data * 1000;
    else if (status.size > 0 && status.modified) this.dataAt = Date.parse(status.modified) || null;
    if (status.last_beat != null) this.beatAt = now - status.last_beat * 1000;
    this.endedAt = status.ended != null ? now - status.ended * 1000 : null;
    this.status.value = { ...this.status.value, ...status };
  }

  /** One more point of the sparkline: bytes a second since the last one. */
  sample() {
    const now = Date.now();
    const { size } = this.status.value;
    const rate = Math.max(0, (size - this.sampled.size) / Math.max(0.2, (now - this.sampled.at) / 1000));
    this.sampled = { size, at: now };
    const before = this.rates.peek();
    // A line of zeros does not change: it need not be drawn anew.
    if (rate === 0 && before.length === SAMPLES && before.every((one) => one === 0)) return;
    this.rates.value = [...before.slice(1 - SAMPLES), rate];
  }
}

export class Sources {
  /** Sorted by path. @type {Signal<Source[]>} */
  list = signal([]);

  /** Whether the receiver has told us yet. */
  known = signal(false);

  /** @type {Map<string, Source>} */
  #byPath = new Map();

  /** @param {string} path */
  get(path) {
    return this.#byPath.get(path);
  }

  /**
   * @param {Status[]} statuses
   * @param {boolean} whole those that are not named are gone
   */
  take(statuses, whole) {
    let moved = false;
    if (whole) {
      const named = new Set(statuses.map((status) => status.path));
      for (const path of this.#byPath.keys()) {
        if (!named.has(path)) moved = this.#byPath.delete(path);
      }
    }
    for (const status of statuses) {
      const known = this.#byPath.get(status.path);
      if (known) known.take(status);
      else {
        this.#byPath.set(status.path, new Source(status));
        moved = true;
      }
    }
    if (moved) this.list.value = [...this.#byPath.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
    this.known.value = true;
  }

  /** One more point for every sparkline; call it about once a second. */
  sample() {
    for (const source of this.#byPath.values()) source.sample();
  }
}
