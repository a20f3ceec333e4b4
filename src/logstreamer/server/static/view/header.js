/** Header: the name, what all streams do, the search, and the connection. */

import { STATES } from "../data/sources.js";
import { html } from "./html.js";
import { nextTheme, theme } from "./look.js";
import { State } from "./state.js";

/** @import {App} from "../app.js" */

/** @param {{app: App}} props */
export function Header({ app }) {
  return html`<header class="head">
    <button class="icon menu" aria-label="Streams" aria-expanded=${String(app.drawer.value)} aria-controls="sources" onClick=${() => (app.drawer.value = !app.drawer.value)}>☰</button>
    <h1><${Logo} /><span>logstreamer</span></h1>
    <${Summary} app=${app} />
    <${SearchBox} app=${app} />
    <${Link} app=${app} />
    <button class="icon" id="theme" aria-label=${`Colours: ${theme.value}`} title=${`Colours: ${theme.value}`} onClick=${nextTheme}>${{ auto: "◑", dark: "☾", light: "☀" }[theme.value]}</button>
    <button class="icon" aria-label="Keys" title="Keys (?)" onClick=${() => (app.help.value = true)}>?</button>
  </header>`;
}

function Logo() {
  return html`<svg class="logo" viewBox="0 0 24 24" width="22" height="22" aria-hidden="true">
    <path d="M3 6h11M3 12h7M3 18h9" /><path class="pulse" d="M14 15l2.2-5 2.6 8 1.6-3.5H22" />
  </svg>`;
}

/** @param {{app: App}} props */
function Summary({ app }) {
  /** @type {Map<string, number>} */
  const counts = new Map();
  for (const source of app.sources.list.value) {
    const { state } = source.status.value;
    counts.set(state, (counts.get(state) ?? 0) + 1);
  }
  const present = STATES.filter((state) => counts.has(state));
  return html`<div class="summary" role="group" aria-label="Streams by state">
    ${present.map(
      (state) => html`<button
        class=${`count ${app.stateFilter.value === state ? "is-on" : ""}`}
        aria-pressed=${String(app.stateFilter.value === state)}
        title=${`Show only streams that are ${state}`}
        onClick=${() => (app.stateFilter.value = app.stateFilter.value === state ? "" : state)}
      ><b>${counts.get(state)}</b> <${State} state=${state} past=${app.isStale.value && "were"} /></button>`,
    )}
  </div>`;
}

/** @param {{app: App}} props */
function SearchBox({ app }) {
  /** @param {KeyboardEvent & {currentTarget: HTMLInputElement}} event */
  const key = (event) => {
    if (event.key === "Enter") {
      void app.runSearch();
      event.currentTarget.blur(); // So that n and N go through the hits.
    } else if (event.key === "Escape") {
      event.currentTarget.blur();
      if (app.search.found.value.hits.length === 0) app.closeSearch();
    } else return;
    event.stopPropagation();
  };
  return html`<div class="find" role="search">
    <svg viewBox="0 0 16 16" width="15" height="15" aria-hidden="true"><circle cx="6.8" cy="6.8" r="4.6" /><path d="M10.3 10.3 14 14" /></svg>
    <input
      id="search"
      type="text"
      placeholder="Search everything that is stored"
      aria-label="Search in all stored lines, a regular expression"
      autocomplete="off"
      spellcheck=${false}
      value=${app.pattern.value}
      onInput=${(/** @type {{currentTarget: HTMLInputElement}} */ event) => (app.pattern.value = event.currentTarget.value)}
      onKeyDown=${key}
    />
    <kbd aria-hidden="true">/</kbd>
  </div>`;
}

/** @param {{app: App}} props */
function Link({ app }) {
  const { state, reason } = app.live.link.value;
  const text = { live: "connected", connecting: "connecting", lost: "connection lost" }[state];
  return html`<span class=${`link-state is-${state}`} role="status" title=${reason || text}><i aria-hidden="true"></i><span>${text}</span></span>`;
}
