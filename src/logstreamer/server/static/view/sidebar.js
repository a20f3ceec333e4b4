/** Sidebar: every stream by site and job, with the truth about it. */

import { useEffect, useRef } from "../vendor/hooks.js";
import { briefText } from "../text/brief.js";
import * as format from "../text/format.js";
import { html } from "./html.js";
import { Sparkline } from "./sparkline.js";
import { State, stateClass } from "./state.js";

/** @import {App} from "../app.js" */
/** @import {Source} from "../data/sources.js" */

/** @param {{app: App}} props */
export function Sidebar({ app }) {
  const sources = app.shownSources.value;
  /** @type {Map<string, Source[]>} */
  const groups = new Map();
  for (const source of sources) {
    const { site, job } = source.status.peek();
    const name = `${site}\n${job}`;
    groups.set(name, [...(groups.get(name) ?? []), source]);
  }
  const all = app.sources.list.value.length;
  /** @param {KeyboardEvent & {currentTarget: HTMLInputElement}} event */
  const key = (event) => {
    if (event.key !== "Enter") return;
    app.chooseFound();
    event.currentTarget.blur(); // So that keys are commands again.
  };
  const list = useRef(/** @type {HTMLElement | null} */ (null));
  const first = app.chosen.value[0];
  useEffect(() => showChosen(list.current), [first, app.sources.known.value]);
  return html`<nav class="side" id="sources" aria-label="Streams">
    <div class="side-top">
      <input
        type="search"
        id="source-filter"
        placeholder=${all === 0 ? "Filter the streams" : all === 1 ? "1 stream" : `Filter ${all} streams`}
        aria-label="Filter the streams"
        value=${app.sourceFilter.value}
        onInput=${(/** @type {{currentTarget: HTMLInputElement}} */ event) => (app.sourceFilter.value = event.currentTarget.value)}
        onKeyDown=${key}
      />
    </div>
    <div class="side-list" ref=${list}>
      ${[...groups].map(([name, members]) => html`<${Group} key=${name} app=${app} name=${name} members=${members} />`)}
      ${sources.length === 0 && html`<p class="side-none">${app.sources.known.value ? all === 0 ? "No stream yet." : "No stream of this name or state." : "Asking the receiver ..."}</p>`}
    </div>
  </nav>`;
}

/**
 * Scroll the list to the first chosen stream, unless that is on the screen.
 * @param {HTMLElement | null} list
 */
function showChosen(list) {
  const item = list?.querySelector(".src.is-chosen");
  if (!list || !item) return;
  const [seen, place] = [list.getBoundingClientRect(), item.getBoundingClientRect()];
  if (place.top < seen.top || place.bottom > seen.bottom) list.scrollTop += place.top - seen.top - list.clientHeight / 3;
}

/** @param {{app: App, name: string, members: Source[]}} props */
function Group({ app, name, members }) {
  const [site, job] = name.split("\n");
  return html`<section class="group">
    <h2><span>${site}</span><span class="job">${job}</span></h2>
    <ul>
      ${members.map((source) => html`<${Item} key=${source.path} app=${app} source=${source} />`)}
    </ul>
  </section>`;
}

/** @param {{app: App, source: Source}} props */
function Item({ app, source }) {
  const status = source.status.value;
  const lane = app.lanes.value.get(source.path);
  const chosen = lane !== undefined;
  const now = app.now.value;
  const stale = app.isStale.value;
  /** @param {MouseEvent} event */
  const choose = (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) app.toggleStream(source.path);
    else app.chooseStreams([source.path]);
    app.drawer.value = false;
  };
  const moves = !stale && (status.state === "live" || status.state === "behind");
  return html`<li class=${`src ${chosen ? "is-chosen" : ""} ${stateClass(status.state)}`} data-path=${source.path} data-state=${status.state}>
    <button class="src-main" aria-pressed=${String(chosen)} onClick=${choose} title=${`${source.path}${status.state_detail ? ` · ${status.state_detail}` : ""}`}>
      <span class="src-head">
        ${chosen && app.lanes.value.size > 1 && html`<i class=${`dot lane-${lane.lane}`} aria-hidden="true"></i>`}
        <span class="src-name">${status.file}</span>
        <${State} state=${status.state} detail=${status.state_detail} past=${stale && "was"} />
      </span>
      <span class="src-last">${briefText(status.last_line ?? "") || " "}</span>
      <span class="src-meta">
        <span title="since the last line">line <b>${ago(source.dataAt, now)}</b></span>
        ${source.beatAt === null && source.endedAt !== null
          ? html`<span title="since its sender's run was over">over <b>${ago(source.endedAt, now)}</b></span>`
          : html`<span title="since the last sign of life of the sender">beat <b>${ago(source.beatAt, now)}</b></span>`}
        <span class="src-rate">${moves && status.rate > 0 ? format.rate(status.rate) : format.size(status.size)}</span>
        <${Sparkline} rates=${source.rates.value} />
      </span>
    </button>
    <button
      class="src-add"
      aria-label=${chosen ? `Remove ${source.path} from the view` : `Add ${source.path} to the view`}
      title=${chosen ? "Remove from the view" : "Add to the view: lines are merged by time"}
      onClick=${() => app.toggleStream(source.path)}
    >${chosen ? "−" : "+"}</button>
  </li>`;
}

/**
 * @param {number | null} then
 * @param {number} now
 */
function ago(then, now) {
  return then === null ? "–" : format.age(now - then);
}
