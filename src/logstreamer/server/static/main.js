/** Main: puts the page together. */

import { render } from "./vendor/preact.js";
import { App } from "./app.js";
import { listen } from "./view/commands.js";
import { html } from "./view/html.js";
import { Page } from "./view/page.js";

const app = new App();
render(html`<${Page} app=${app} />`, /** @type {HTMLElement} */ (document.getElementById("app")));
listen(app);
app.start();
// A failure that nobody caught must not leave a page that looks alive.
addEventListener("unhandledrejection", (event) => app.say(`this page failed: ${event.reason?.message ?? event.reason}`));
