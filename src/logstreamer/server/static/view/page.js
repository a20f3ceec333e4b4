/** Page: all of it. */

import { Banner } from "./banner.js";
import { Details } from "./details.js";
import { Footer } from "./footer.js";
import { Header } from "./header.js";
import { Help } from "./help.js";
import { html } from "./html.js";
import { Log } from "./log.js";
import { Results } from "./results.js";
import { Sidebar } from "./sidebar.js";
import { Toolbar } from "./toolbar.js";

/** @import {App} from "../app.js" */

/** @param {{app: App}} props */
export function Page({ app }) {
  return html`<div class=${`page ${app.drawer.value ? "has-drawer" : ""} ${app.isStale.value ? "is-stale" : ""}`}>
    <${Header} app=${app} />
    <${Banner} app=${app} />
    <${Sidebar} app=${app} />
    <div class="shade" aria-hidden="true" onClick=${() => (app.drawer.value = false)}></div>
    <main class="main" aria-label="Log">
      <${Toolbar} app=${app} />
      <div class="stage"><${Log} app=${app} /><${Results} app=${app} /><${Details} app=${app} /></div>
      <${Footer} app=${app} />
    </main>
    <${Help} app=${app} />
  </div>`;
}
