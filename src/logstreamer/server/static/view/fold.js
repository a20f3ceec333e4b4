/** Fold: what a line holds besides what is shown of it: JSON in full, what \r has overwritten, the rest of a long text. */

import { spansOf } from "../text/ansi.js";
import { html } from "./html.js";

/** @import {Shape} from "../text/shape.js" */

const MOST_PAST = 500;

/** @param {{shape: Shape}} props */
export function Fold({ shape }) {
  if (shape.past.length > 0) {
    const hidden = shape.past.length - MOST_PAST;
    return html`<ol class="fold past">
      ${hidden > 0 && html`<li class="faint">${hidden} older ones</li>`}
      ${shape.past.slice(-MOST_PAST).map((one) => html`<li>${coloured(one)}</li>`)}
    </ol>`;
  }
  if (shape.json) return html`<pre class="fold json">${json(shape.json, 0)}</pre>`;
  return html`<pre class="fold">${coloured(shape.text)}</pre>`;
}

/** @param {string} text */
function coloured(text) {
  return spansOf(text).map((one) => {
    const style = one.fg || one.bg ? { color: one.fg ?? "", backgroundColor: one.bg ?? "" } : undefined;
    return html`<span class=${one.cls} style=${style}>${one.text}</span>`;
  });
}

/**
 * @param {unknown} value
 * @param {number} depth
 * @returns {unknown}
 */
function json(value, depth) {
  if (value === null || typeof value !== "object" || depth > 20) {
    const kind = typeof value === "string" ? "t-string" : "t-number";
    return html`<span class=${kind}>${coloured(JSON.stringify(value))}</span>`;
  }
  const isList = Array.isArray(value);
  const entries = Object.entries(value);
  const [begin, end] = isList ? ["[", "]"] : ["{", "}"];
  if (entries.length === 0) return begin + end;
  const indent = "  ".repeat(depth + 1);
  return [
    `${begin}\n`,
    ...entries.map(([name, one], index) => [
      indent,
      !isList && html`<span class="t-key">${coloured(JSON.stringify(name))}</span>`,
      !isList && ": ",
      json(one, depth + 1),
      index < entries.length - 1 ? ",\n" : "\n",
    ]),
    "  ".repeat(depth) + end,
  ];
}
