/** Banner: says that what is on the screen is old. */

import * as format from "../text/format.js";
import { html } from "./html.js";

/** @import {App} from "../app.js" */

/** @param {{app: App}} props */
export function Banner({ app }) {
  const { state, since, reason } = app.live.link.value;
  if (state !== "lost") return null;
  const ago = Math.max(0, app.now.value - since);
  return html`<div class="banner" role="alert" id="banner">
    <b>Connection lost ${format.age(ago)} ago:</b> ${reason}. States are as they were at ${format.clock(since / 1000, false).slice(0, 8)}; lines
    continue where they stopped. <button class="link" onClick=${() => app.live.restart()}>try now</button>
  </div>`;
}
