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

/** @param {string} state */
export function signOf(state) {
  return SIGNS[state] ?? "?";
}

/**
 * @param {{state: string, detail?: string, past?: string | false}} props "past" is the verb of a state that is not known to
 *   hold any more
 */
export function State({ state, detail = "", past = "" }) {
  const was = state === "finished" ? "" : past; // that one never changes again
  const classes = was ? "state is-past" : `state ${stateClass(state)}`;
  return html`<span class=${classes} title=${detail || state}><i aria-hidden="true">${signOf(state)}</i>${was ? `${was} ${state}` : state}</span>`;
}
