/** Search: one search at a time, on the receiver, over the stored bytes of all or of some streams. */

import { signal } from "../vendor/signals.js";
import * as api from "./api.js";
import { read } from "./sse.js";

/** @import {Done, Hit, Progress} from "./types.js" */

const CONTEXT = 2;
const LIMIT = 1000;

/**
 * @typedef {object} Found
 * @property {string} pattern "" before the first search
 * @property {boolean} isCase
 * @property {"running" | "done" | "stopped" | "failed"} state
 * @property {Hit[]} hits newest first
 * @property {Progress | null} progress
 * @property {Done | null} done
 * @property {string} error
 */

/** @type {Found} */
const NOTHING = { pattern: "", isCase: false, state: "done", hits: [], progress: null, done: null, error: "" };

export class Search {
  /** @type {import("../vendor/signals.js").Signal<Found>} */
  found = signal(NOTHING);

  #abort = new AbortController();
  #drawing = 0;
  /** @type {[string, string][]} */
  #query = [];
  /** @type {Found} */
  #now = NOTHING;

  /**
   * Begin a search; a running one is given up.
   * @param {string} pattern of RE2
   * @param {boolean} isCase
   * @param {string[]} streams none: all of them
   */
  async run(pattern, isCase, streams) {
    this.stop();
    this.#now = { ...NOTHING, pattern, isCase, hits: [] };
    /** @type {[string, string][]} */
    const query = [["q", pattern], ["case", isCase ? "1" : "0"], ["context", String(CONTEXT)], ["limit", String(LIMIT)]];
    this.#query = query.concat(streams.map((one) => ["stream", one]));
    await this.#read(this.#query);
  }

  /** Go on where the last search ended because it had found or looked at enough. */
  async more() {
    const cursor = this.#now.done?.cursor;
    if (cursor) await this.#read([...this.#query, ["before", cursor]]);
  }

  /** @param {[string, string][]} query */
  async #read(query) {
    const abort = (this.#abort = new AbortController());
    Object.assign(this.#now, { state: "running", progress: null, done: null, error: "" });
    this.found.value = { ...this.#now };
    try {
      const response = await api.open("/search", query, abort.signal);
      await read(response, (message) => this.#take(message.event, message.data));
      if (this.#now.state === "running") this.#end({ state: "failed", error: "the search was cut off" });
    } catch (error) {
      if (abort.signal.aborted) return;
      this.#end({ state: "failed", error: error instanceof Error ? error.message : String(error) });
    }
  }

  /** Give up; what was found stays. */
  stop() {
    this.#abort.abort();
    if (this.#now.state === "running") this.#end({ state: "stopped" });
  }

  /** Forget what was found. */
  clear() {
    this.stop();
    this.#now = NOTHING;
    this.found.value = NOTHING;
  }

  /**
   * @param {string} event
   * @param {string} data
   */
  #take(event, data) {
    const value = JSON.parse(data);
    if (event === "hit") this.#now.hits.push(value);
    else if (event === "progress") this.#now.progress = value;
    else if (event === "done") this.#end({ state: "done", done: value });
    else if (event === "error") this.#end({ state: "failed", error: value.error ?? "the search failed" });
    this.#draw();
  }

  /** @param {Partial<Found>} change */
  #end(change) {
    Object.assign(this.#now, change);
    this.#draw();
  }

  /** Hits may come by the hundred: one change of the signal for all of a frame. */
  #draw() {
    if (this.#drawing) return;
    this.#drawing = setTimeout(() => {
      this.#drawing = 0;
      this.found.value = { ...this.#now };
    }, 40);
  }
}
