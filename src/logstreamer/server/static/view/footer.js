/** Footer: where in the file the first line on the screen is, or that it is the last that is followed. */

import { timeOf } from "../data/seek.js";
import * as format from "../text/format.js";
import { followWords } from "./follow.js";
import { html } from "./html.js";
import { zone } from "./look.js";

/** @import {App} from "../app.js" */

/** @param {{app: App}} props */
export function Footer({ app }) {
  const place = app.place.value;
  const { timeline } = app;
  const lanes = app.lanes.value;
  void timeline.version.value;
  const time = timeline.follow.value ? timeOf(timeline.entries.findLast((entry) => entry.line !== null)?.line) : (place?.time ?? null);
  return html`<footer class="foot">
    ${place
      ? html`${lanes.size > 1 && !timeline.follow.value && html`<span>${lanes.get(place.path)?.label}</span>`}
          ${timeline.follow.value
            ? html`<span>end of <b>${lanes.size > 1 ? `${lanes.size} streams` : format.size(place.size)}</b></span>`
            : html`<span>byte <b>${format.count(place.offset)}</b> of ${format.count(place.size)}</span>
                <span>${(place.fraction * 100).toFixed(1)} %</span>`}
          ${time !== null && html`<span class="foot-time">${format.stamp(time, zone.value === "utc")}</span>`}`
      : html`<span>no lines</span>`}
    <span class="foot-right" role="status">${app.said.value || (timeline.busy.value ? "loading ..." : followWords(app).long)}</span>
  </footer>`;
}
