/** Toolbar: what is shown, and how. */

import { LEVELS } from "../data/entry.js";
import { streamUrl } from "../data/api.js";
import * as format from "../text/format.js";
import { followWords } from "./follow.js";
import { html } from "./html.js";
import { nextZone, toggleWrap, wrap, zone } from "./look.js";
import { State } from "./state.js";

/** @import {App} from "../app.js" */
/** @import {Source} from "../data/sources.js" */

/** @param {{app: App}} props */
export function Toolbar({ app }) {
  const { timeline } = app;
  const paths = app.chosen.value;
  const following = timeline.follow.value;
  const words = followWords(app);
  void app.sources.list.value;
  return html`<div class="bar">
    <div class="bar-streams">
      ${paths.length === 1 ? html`<${One} app=${app} path=${paths[0]} />` : html`<${Several} app=${app} paths=${paths} />`}
    </div>
    <div class="bar-tools" role="toolbar" aria-label="View">
      <button class=${`tool follow ${words.isLive ? "is-on" : ""}`} id="follow" aria-pressed=${String(following)} title="Follow or pause (f)" onClick=${() => app.toggleFollow()}>
        <i aria-hidden="true">${words.sign}</i> ${words.short}
      </button>
      <select class="tool" id="level" aria-label="Least level" title="Least level (l)" value=${String(timeline.least.value)} onChange=${(/** @type {{currentTarget: HTMLSelectElement}} */ event) => {
        app.setLevel(Number(event.currentTarget.value));
        event.currentTarget.blur(); // So that keys are commands again.
      }}>
        <option value="0">All levels</option>
        ${LEVELS.slice(1).map((level, index) => html`<option value=${String(index + 1)}>${level === "fatal" ? "fatal" : `${level} and worse`}</option>`)}
      </select>
      <button class=${`tool ${wrap.value === "on" ? "is-on" : ""}`} id="wrap" aria-pressed=${String(wrap.value === "on")} title="Wrap long lines (w)" onClick=${toggleWrap}>Wrap</button>
      <button class="tool" id="zone" title="Times: local, UTC or none (t)" onClick=${nextZone}>${{ local: "Local time", utc: "UTC", off: "No times" }[zone.value]}</button>
      ${paths.length === 1 && app.sources.get(paths[0]) &&
      html`<a class="tool" id="download" href=${streamUrl(paths[0], "/bytes?download=1")} download title="Download all of it, byte for byte (d)">Download</a>
        <button class=${`tool ${app.details.value ? "is-on" : ""}`} id="details-toggle" aria-pressed=${String(app.details.value)} title="What the receiver knows about it (i)" onClick=${() => app.toggleDetails()}>Details</button>`}
    </div>
  </div>`;
}

/** @param {{app: App, path: string}} props */
function One({ app, path }) {
  const source = app.sources.get(path);
  void app.sources.list.value;
  const parts = path.split("/");
  return html`<div class="one">
    <h2 title=${path}><span>${parts.slice(0, 2).join(" / ")} / </span>${parts.slice(2).join("/")}</h2>
    ${source
      ? html`<${Truth} app=${app} source=${source} />`
      : app.sources.known.value && html`<p class="truth">no such stream yet; it is shown as soon as it begins</p>`}
  </div>`;
}

/** @param {{app: App, source: Source}} props */
function Truth({ app, source }) {
  const status = source.status.value;
  const now = app.now.value;
  const facts = [];
  if (status.state_detail) facts.push(status.state_detail);
  if (status.since && status.state !== "live" && status.state !== "quiet") facts.push(`since ${format.stamp(Date.parse(status.since) / 1000, zone.value === "utc").slice(5, 19)}`);
  if (source.dataAt !== null) facts.push(`last line ${format.age(now - source.dataAt)} ago`);
  if (source.beatAt !== null) facts.push(`last beat ${format.age(now - source.beatAt)} ago`);
  facts.push(format.size(status.size));
  return html`<p class="truth">
    <${State} state=${status.state} detail=${status.state_detail} past=${app.isStale.value && "was"} />
    ${facts.map((fact, index) => html`${" "}<span class="fact">${fact}${index < facts.length - 1 ? " ·" : ""}</span>`)}
  </p>`;
}

/** @param {{app: App, paths: string[]}} props */
function Several({ app, paths }) {
  void app.sources.list.value;
  if (app.sources.list.value.length === 0) return null;
  if (paths.length === 0) return html`<p class="truth">Choose a stream. With Ctrl, or with its +, several are merged by time.</p>`;
  return html`<ul class="chips">
    ${paths.map((path) => {
      const lane = app.lanes.value.get(path);
      const status = app.sources.get(path)?.status.value;
      return html`<li class="chip" key=${path} title=${path}>
        <i class=${`dot lane-${lane?.lane ?? 0}`} aria-hidden="true"></i><span>${lane?.label ?? path}</span>
        ${status && html`<${State} state=${status.state} detail=${status.state_detail} past=${app.isStale.value && "was"} />`}
        <button aria-label=${`Remove ${path} from the view`} onClick=${() => app.toggleStream(path)}>×</button>
      </li>`;
    })}
  </ul>`;
}
