/** Details: what the receiver knows about one stream: states it was in, gaps, digest. */

import { useEffect, useState } from "../vendor/hooks.js";
import * as api from "../data/api.js";
import * as format from "../text/format.js";
import { html } from "./html.js";
import { zone } from "./look.js";
import { State } from "./state.js";

/** @import {App} from "../app.js" */
/** @import {Status} from "../data/types.js" */

/** @param {{app: App}} props */
export function Details({ app }) {
  const path = app.chosen.value.length === 1 ? app.chosen.value[0] : "";
  const state = app.sources.get(path)?.status.value.state;
  const [known, know] = useState(/** @type {Status | null} */ (null));
  const [error, fail] = useState("");
  useEffect(() => {
    if (!path || !app.details.value) return undefined;
    const abort = new AbortController();
    api.stream(path, abort.signal).then(
      (status) => {
        know(status);
        fail("");
      },
      (reason) => abort.signal.aborted || fail(String(reason.message)),
    );
    return () => abort.abort();
  }, [path, state, app.details.value]);
  if (!path || !app.details.value) return null;
  return html`<aside class="details" id="details" aria-label="Details of the stream">
    <div class="results-top">
      <h2>Details</h2>
      <button class="icon" aria-label="Close the details" title="Close (Esc)" onClick=${() => (app.details.value = false)}>×</button>
    </div>
    ${error && html`<p class="scanned is-bad" role="alert">${error}</p>`}
    ${known && known.path === path && html`<${Facts} app=${app} status=${known} />`}
  </aside>`;
}

/** @param {{app: App, status: Status}} props */
function Facts({ app, status }) {
  const isUtc = zone.value === "utc";
  const facts = [
    ["Stored", `${format.size(status.size)} (${format.count(status.size)} bytes)`],
    ["Begun", status.created ? when(status.created, isUtc) : ""],
    ["Segments", status.segments ? format.count(status.segments.length) : ""],
    ["Digest", status.digest ?? ""],
  ];
  return html`<dl class="facts">${facts.map(([name, value]) => value && html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>
    <h3>Gaps</h3>
    ${(status.gaps ?? []).length === 0 && html`<p class="none">No gap known.</p>`}
    <ul class="events">
      ${(status.gaps ?? []).map(
        (gap) => html`<li><button class="link" onClick=${() => void app.goTo(status.path, gap.offset)}>byte ${format.count(gap.offset)}</button>
          ${gap.lost != null ? `${format.size(gap.lost)} lost` : "of unknown size"}${gap.detail && ` · ${gap.detail}`}</li>`,
      )}
    </ul>
    <h3>States</h3>
    ${(status.history ?? []).length === 0 && html`<p class="none">No change is known.</p>`}
    <ul class="events">
      ${[...(status.history ?? [])].reverse().map(
        (change) => html`<li><time>${when(change.at, isUtc)}</time> <${State} state=${change.state} detail=${change.detail ?? ""} />
          <button class="link" onClick=${() => void app.goTo(status.path, change.offset)}>byte ${format.count(change.offset)}</button>
          ${change.detail && html`<span class="faint">${change.detail}</span>`}</li>`,
      )}
    </ul>`;
}

/**
 * @param {string} text RFC 3339
 * @param {boolean} isUtc
 */
function when(text, isUtc) {
  const time = Date.parse(text) / 1000;
  return Number.isNaN(time) ? text : format.stamp(time, isUtc).slice(0, 19);
}
