/**
 * Live: the tab's one connection for what happens now. It reconnects by itself, exactly where it was. A hidden tab has
 * none: a browser opens six to one address, and each would hold one of them.
 */

import { signal } from "../vendor/signals.js";
import * as api from "./api.js";
import { read } from "./sse.js";

/** @import {LinesEvent, SkipEvent, Status} from "./types.js" */

/** The receiver speaks at least every 5 s. */
const SILENCE_MS = 12000;
const FIRST_WAIT_MS = 300;
const LONGEST_WAIT_MS = 8000;

/**
 * @typedef {object} Listener
 * @property {(statuses: Status[], whole: boolean, isBack: boolean) => void} onStreams "isBack": the connection was lost before
 * @property {(event: LinesEvent) => void} onLines
 * @property {(event: SkipEvent) => void} onSkip
 * @property {() => string[]} wanted each chosen stream as PATH@OFFSET: what has been heard of it so far
 */

/**
 * @typedef {object} Link
 * @property {"connecting" | "live" | "lost"} state
 * @property {number} since of a lost one: when anything was heard last, in ms of Date.now()
 * @property {string} reason
 */

export class Live {
  /** How the connection is. @type {import("../vendor/signals.js").Signal<Link>} */
  link = signal({ state: "connecting", since: Date.now(), reason: "" });

  #listener;
  /** @type {AbortController | null} */
  #current = null;
  #wait = FIRST_WAIT_MS;
  #timer = 0;
  #heardAt = Date.now();
  #over = false;

  /** @param {Listener} listener */
  constructor(listener) {
    this.#listener = listener;
    addEventListener("online", () => this.#link("lost") && this.restart());
    document.addEventListener("visibilitychange", () => this.restart());
  }

  /** Ask anew, for what is wanted now. */
  restart() {
    this.#current?.abort();
    this.#current = null;
    clearTimeout(this.#timer);
    this.#wait = FIRST_WAIT_MS;
    if (this.#over) return;
    if (!document.hidden) void this.#run();
    else if (this.#link("live")) this.link.value = { state: "connecting", since: this.#heardAt, reason: "the tab is hidden" };
  }

  /** Leave for good. */
  stop() {
    this.#over = true;
    clearTimeout(this.#timer);
    this.#current?.abort();
  }

  async #run() {
    const mine = (this.#current = new AbortController());
    let reason = "the receiver ended the connection";
    try {
      await this.#listen(mine);
    } catch (error) {
      reason = reasonOf(error);
    }
    if (this.#current !== mine || this.#over) return;
    if (this.#link("live") || this.#link("connecting")) this.link.value = { state: "lost", since: this.#heardAt, reason };
    else this.link.value = { ...this.link.value, reason };
    this.#timer = setTimeout(() => void this.#run(), this.#wait * (0.75 + Math.random() / 2));
    this.#wait = Math.min(LONGEST_WAIT_MS, this.#wait * 2);
  }

  /** @param {AbortController} mine */
  async #listen(mine) {
    let heard = performance.now();
    const watch = setInterval(() => {
      if (performance.now() - heard > SILENCE_MS) mine.abort(new Error(`nothing came for ${SILENCE_MS / 1000} s`));
    }, 1000);
    try {
      const query = this.#listener.wanted().map((one) => /** @type {[string, string]} */ (["stream", one]));
      const response = await api.open("/events", query, mine.signal);
      let whole = true;
      await read(
        response,
        (message) => {
          if (mine !== this.#current) return;
          this.#tell(message.event, message.data, whole);
          if (message.event === "streams") whole = false;
        },
        () => {
          heard = performance.now();
          this.#heardAt = Date.now();
        },
      );
    } finally {
      clearInterval(watch);
    }
  }

  /**
   * @param {string} event
   * @param {string} data
   * @param {boolean} whole
   */
  #tell(event, data, whole) {
    const isBack = this.#link("lost");
    if (!this.#link("live")) this.link.value = { state: "live", since: Date.now(), reason: "" };
    this.#wait = FIRST_WAIT_MS;
    const value = JSON.parse(data);
    if (event === "streams") this.#listener.onStreams(value.streams, whole, isBack);
    else if (event === "lines") this.#listener.onLines(value);
    else if (event === "skip") this.#listener.onSkip(value);
  }

  /** @param {Link["state"]} state */
  #link(state) {
    return this.link.value.state === state;
  }
}

/** @param {unknown} error */
function reasonOf(error) {
  if (error instanceof api.ApiError && error.status === 401) return "the receiver asks for its token: open its URL again";
  if (error instanceof TypeError) return "the receiver cannot be reached";
  return error instanceof Error ? error.message : String(error);
}
