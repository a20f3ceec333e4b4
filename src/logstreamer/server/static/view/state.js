/** State: a stream's state as a sign and a word. Never by colour alone. */

import { html } from "./html.js";

/** @type {Record<string, string>} */
const SIGNS = {
  live: "●",
  quiet: "◐",
  behind: "▲",
  waiting: "○",
  dead: "✕",
  failed: "!",
  stopped: "□",
  finished: "✓",
  "disk full": "■",
  stalled: "■",
  "refused by site": "⊘",
  unknown: "?",
};

/** @param {string} state */
export function stateClass(state) {
  return `st-${state.replaceAll(" ", "-")}`;
}

/** @param {{state: string, detail?: string}} props */
export function State({ state, detail = "" }) {
  return html`<span class=${`state ${stateClass(state)}`} title=${detail || state}><i aria-hidden="true">${SIGNS[state] ?? "?"}</i>${state}</span>`;
}
