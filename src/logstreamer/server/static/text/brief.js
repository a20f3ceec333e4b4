/** Brief: a line in few words: of a JSON object its level, its message and its fields. */

import { plain } from "./ansi.js";
import { shapeOfText } from "./shape.js";

const LEVELS = ["level", "lvl", "severity", "levelname"];
const MESSAGES = ["msg", "message", "event", "text"];
const TIMES = ["ts", "time", "timestamp", "@timestamp", "asctime", "datetime"];
const TIME = /^\s*\[?\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?\]?\s*/;

/**
 * @param {Record<string, unknown>} json
 * @param {boolean} isTimed whether its time is shown elsewhere
 * @returns {{level: string, message: string, fields: [string, string][]}}
 */
export function briefOf(json, isTimed) {
  const level = LEVELS.find((name) => typeof json[name] === "string");
  const message = MESSAGES.find((name) => typeof json[name] === "string");
  const time = isTimed ? TIMES.find((name) => name in json) : undefined;
  /** @type {[string, string][]} */
  const fields = [];
  for (const [name, value] of Object.entries(json)) {
    if (name !== level && name !== message && name !== time) fields.push([plainText(name), plainText(value)]);
  }
  return { level: level ? plainText(json[level]).toUpperCase() : "", message: message ? plainText(json[message]) : "", fields };
}

/** A line for a list: without its time, which is said beside it. @param {string} text */
export function briefText(text) {
  const shape = shapeOfText(text);
  if (shape.json === null) return plain(shape.text).replace(TIME, "");
  const { level, message, fields } = briefOf(shape.json, true);
  return [level, message, ...fields.map(([name, value]) => `${name}=${value}`)].filter((part) => part !== "").join(" ");
}

/** @param {unknown} value */
function plainText(value) {
  return plain((typeof value === "string" ? value : (JSON.stringify(value) ?? "")).replaceAll("\n", "⏎"));
}
