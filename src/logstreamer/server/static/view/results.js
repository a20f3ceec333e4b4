/** Results: what the search has found, as it is found. */

import { plain } from "../text/ansi.js";
import * as format from "../text/format.js";
import { briefText } from "../text/brief.js";
import { needlesOf, placesOf } from "../text/needles.js";
import { html } from "./html.js";
import { zone } from "./look.js";

/** @import {App} from "../app.js" */
/** @import {Found} from "../data/search.js" */
/** @import {Done, Hit, Line} from "../data/types.js" */

const MOST_TEXT = 400;

/** Why not everything was looked at. @type {Record<string, string>} */
const ENDINGS = { limit: "These are enough for one list", size: "These are enough for one list", time: "The time was up" };

/** @param {{app: App}} props */
export function Results({ app }) {
  const found = app.search.found.value;
  if (!app.searching.value) return null;
  return html`<aside class="results" id="results" aria-label="Search results">
    <div class="results-top">
      <h2>${title(found)}</h2>
      <button class="icon" aria-label="Close the search" title="Close (Esc)" onClick=${() => app.closeSearch()}>×</button>
    </div>
    <div class="results-options">
      <label><input type="checkbox" checked=${app.isCase.value} onChange=${() => app.toggleCase()} /> match case</label>
      <label><input type="checkbox" id="only-chosen" checked=${app.onlyChosen.value} onChange=${() => app.toggleOnlyChosen()} /> only the chosen streams</label>
      ${found.state === "running" && html`<button class="link" onClick=${() => app.search.stop()}>stop</button>`}
    </div>
    <${Scanned} app=${app} found=${found} />
    <ol class="hits">
      ${found.hits.map((hit, index) => html`<${Item} key=${`${hit.stream}@${hit.offset}`} app=${app} hit=${hit} index=${index} />`)}
    </ol>
  </aside>`;
}

/** @param {Found} found */
function title(found) {
  if (found.pattern === "") return "Search";
  const { length } = found.hits;
  return `${format.count(length)}${found.done?.truncated ? "+" : ""} ${length === 1 ? "line" : "lines"}`;
}

/** @param {{app: App, found: Found}} props */
function Scanned({ app, found }) {
  const { progress, done } = found;
  if (found.state === "failed") return html`<p class="scanned is-bad" role="alert">${found.error}</p>`;
  if (found.pattern === "") return html`<p class="scanned">A regular expression (RE2). Enter searches every stored byte, the newest first.</p>`;
  if (done) {
    const missed = done.unreadable?.length ? ` Could not be read: ${done.unreadable.join(", ")}.` : "";
    if (done.reason === "failed") {
      return html`<p class="scanned is-bad" id="scanned" role="alert">The search failed: only ${scanned(done)}, the newest. ${missed}</p>`;
    }
    return html`<p class="scanned" id="scanned" role="status">
      ${done.truncated ? `${ENDINGS[done.reason ?? ""] ?? "It ended early"}: ${scanned(done)}, the newest.` : `All of ${format.size(done.scanned)} scanned.`}${missed}
      ${done.truncated && done.cursor && html` <button class="link" id="more" onClick=${() => void app.search.more()}>look further back</button>`}
    </p>`;
  }
  if (found.state === "stopped") return html`<p class="scanned" role="status">Stopped.</p>`;
  if (progress === null) return html`<p class="scanned" role="status">Searching ...</p>`;
  const to = progress.scanned_to;
  const where = to ? `, back to ${to.time ? format.stamp(to.time, zone.value === "utc").slice(0, 19) : `byte ${format.count(to.offset)}`}` : "";
  return html`<p class="scanned" role="status">
    <progress max=${progress.total || 1} value=${progress.scanned} aria-label="Scanned"></progress>
    ${format.size(progress.scanned)} of ${format.size(progress.total)} scanned${where}
  </p>`;
}

/** @param {Done} done */
function scanned(done) {
  return `${format.size(done.scanned)} of ${format.size(done.total)} scanned`;
}

/** @param {{app: App, hit: Hit, index: number}} props */
function Item({ app, hit, index }) {
  const current = app.hit.value === index;
  const time = hit.time ?? hit.arrived ?? null;
  return html`<li class=${`hit lvl-${hit.level ?? "none"} ${current ? "is-current" : ""}`}>
    <button onClick=${() => void app.goToHit(index)} aria-current=${String(current)}>
      <span class="hit-head"><span>${hit.stream}</span>${time !== null && html`<time>${format.stamp(time, zone.value === "utc").slice(0, 23)}</time>`}</span>
      ${(hit.before ?? []).map((line) => html`<span class="hit-line faint">${briefText(line.text)}</span>`)}
      <span class="hit-line">${shown(hit, needlesOf(hit))}</span>
      ${(hit.after ?? []).map((line) => html`<span class="hit-line faint">${briefText(line.text)}</span>`)}
    </button>
  </li>`;
}

/**
 * @param {Line} line
 * @param {string[]} needles
 */
function shown(line, needles) {
  const brief = briefText(line.text);
  const text = needles.every((needle) => brief.includes(needle)) ? brief : plain(line.text).replaceAll("␍", " ");
  const places = placesOf(text, needles);
  const first = places[0]?.[0] ?? 0;
  const from = first > MOST_TEXT / 2 ? first - MOST_TEXT / 4 : 0;
  const cut = text.slice(from, from + MOST_TEXT);
  const parts = [from > 0 ? "… " : ""];
  let at = 0;
  /** @type {unknown[]} */
  const made = parts;
  for (const place of places) {
    const [start, end] = place.map((one) => Math.max(0, one - from)); // a long match reaches beyond what is shown
    if (start >= cut.length) break;
    if (end === 0) continue;
    made.push(cut.slice(at, start), html`<mark>${cut.slice(start, end)}</mark>`);
    at = end;
  }
  made.push(cut.slice(at));
  return made;
}
