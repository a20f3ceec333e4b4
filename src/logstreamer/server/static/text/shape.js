/** Shape: what a line's text is besides text: progress drawn with \r, a JSON object, or more than one wants to see. */

/** @import {Entry} from "../data/entry.js" */

/** Characters of a line that are shown until it is unfolded. */
export const SHOWN = 1000;

/**
 * @typedef {object} Shape
 * @property {string} text what is shown
 * @property {string[]} past what \r has overwritten, oldest first
 * @property {Record<string, unknown> | null} json
 * @property {boolean} long
 */

/** @type {WeakMap<Entry, {revision: number, shape: Shape}>} */
const known = new WeakMap();

/**
 * @param {Entry} entry a line
 * @returns {Shape}
 */
export function shapeOf(entry) {
  const before = known.get(entry);
  if (before?.revision === entry.revision) return before.shape;
  const shape = shapeOfText(entry.line?.text ?? "");
  known.set(entry, { revision: entry.revision, shape });
  return shape;
}

/**
 * @param {string} text
 * @returns {Shape}
 */
export function shapeOfText(text) {
  /** @type {string[]} */
  let past = [];
  let shown = text;
  if (text.includes("\r")) {
    past = text.split("\r").filter((one) => one.trim() !== "");
    shown = past.pop() ?? "";
  }
  return { text: shown, past, json: objectOf(shown), long: shown.length > SHOWN };
}

/** Whether there is something to unfold. @param {Shape} shape */
export function isFoldable(shape) {
  return shape.past.length > 0 || shape.json !== null || shape.long;
}

/**
 * @param {string} text
 * @returns {Record<string, unknown> | null}
 */
function objectOf(text) {
  const trimmed = text.trim();
  if (!trimmed.startsWith("{") || !trimmed.endsWith("}")) return null;
  try {
    const value = JSON.parse(trimmed);
    return Object.keys(value).length > 0 ? value : null;
  } catch {
    return null;
  }
}
