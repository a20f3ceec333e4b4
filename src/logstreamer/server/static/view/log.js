/** Log: the scrolling lines with what floats over them. */

import { Component, createRef } from "../vendor/preact.js";
import { effect } from "../vendor/signals.js";
import * as format from "../text/format.js";
import { onCopy } from "./copy.js";
import { html } from "./html.js";
import { Rail } from "./rail.js";
import { Scroller } from "./scroller.js";

/** @import {App} from "../app.js" */

/** Most characters of a stream's name beside its lines. */
const WIDEST_NAME = 24;

/** @extends {Component<{app: App}>} */
export class Log extends Component {
  #box = /** @type {{current: HTMLElement | null}} */ (createRef());
  /** @type {(() => void)[]} */
  #ends = [];

  componentDidMount() {
    const { app } = this.props;
    const scroller = new Scroller(/** @type {HTMLElement} */ (this.#box.current), app.timeline, app.setting.value);
    app.scroller = scroller;
    this.#ends = [
      effect(() => {
        void app.timeline.version.value;
        void app.timeline.follow.value;
        void scroller.selected.value;
        scroller.draw();
      }),
      effect(() => {
        const widest = Math.max(0, ...[...app.lanes.value.values()].map((lane) => lane.label.length));
        this.#box.current?.style.setProperty("--who", `${Math.min(WIDEST_NAME, widest) + 2}ch`);
        scroller.set(app.setting.value);
      }),
      () => scroller.stop(),
    ];
    this.#ends.push(effect(() => app.watchPlace(scroller.first.value)));
  }

  componentWillUnmount() {
    for (const end of this.#ends) end();
  }

  render() {
    const { app } = this.props;
    const { wrap } = app.setting.value;
    return html`<div class="log">
      <div
        class=${`log-box ${wrap ? "is-wrapped" : ""}`}
        id="log"
        ref=${this.#box}
        tabindex="0"
        role="log"
        aria-live="off"
        onCopy=${(/** @type {ClipboardEvent} */ event) => onCopy(event, app.timeline)}
        aria-label="Lines of the chosen streams"
      ></div>
      <${Rail} app=${app} />
      <${Pill} app=${app} />
      <${Notices} app=${app} />
    </div>`;
  }
}

/** Says what came since following ended, and leads back to it. @param {{app: App}} props */
function Pill({ app }) {
  const { timeline } = app;
  if (timeline.follow.value || timeline.reels.length === 0) return null;
  const { lines, exact } = timeline.since.value;
  const count = lines === 0 ? "" : `${format.count(lines)}${exact ? "" : "+"} new ${lines === 1 ? "line" : "lines"}`;
  return html`<button class=${`pill ${lines > 0 ? "has-news" : ""}`} id="jump" onClick=${() => void app.jumpToLive()}>
    <span aria-hidden="true">↓</span> Jump to live${count && html` <b>${count}</b>`}
  </button>`;
}

/** @param {{app: App}} props */
function Notices({ app }) {
  const { timeline } = app;
  void timeline.version.value;
  if (timeline.trouble.value) {
    return html`<div class="notice is-bad" role="alert">
      ${timeline.trouble.value} <button class="link" onClick=${() => void app.show()}>try again</button>
    </div>`;
  }
  if (timeline.tired.value) {
    return html`<div class="notice">
      No line of this level further up for long. <button class="link" onClick=${() => void timeline.lookFurther()}>look further</button>
    </div>`;
  }
  if (app.sources.known.value && app.sources.list.value.length === 0) return html`<${Welcome} />`;
  if (timeline.entries.length === 0 && timeline.reels.length > 0) {
    return html`<div class="notice">${timeline.busy.value ? "Loading ..." : "Nothing to show yet: lines appear here as they arrive."}</div>`;
  }
  return null;
}

/** While nothing is stored at all: how to begin. */
function Welcome() {
  return html`<div class="welcome">
    <h2>No stream yet</h2>
    <p>Send a growing file from any machine, and it is here at once:</p>
    <pre>logstreamer send train.log --to ${location.origin} --site NAME</pre>
    <p class="faint">It asks for this receiver's token: set LOGSTREAMER_TOKEN, or give the whole URL that serve printed.</p>
  </div>`;
}
