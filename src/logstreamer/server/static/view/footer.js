/** Footer: where in the file the lines on the screen are. */

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
  return html`<footer class="foot">
    ${place
      ? html`${lanes.size > 1 && html`<span>${lanes.get(place.path)?.label}</span>`}
          ${timeline.follow.value
            ? html`<span>end of <b>${format.size(place.size)}</b></span>`
            : html`<span>byte <b>${format.count(place.offset)}</b> of ${format.size(place.size)}</span>
                <span>${(place.fraction * 100).toFixed(1)} %</span>`}
          ${place.time !== null && html`<span>${format.stamp(place.time, zone.value === "utc")}</span>`}`
      : html`<span>no lines</span>`}
    <span class="foot-right" role="status">${app.said.value || (timeline.busy.value ? "loading ..." : followWords(app).long)}</span>
  </footer>`;
}
