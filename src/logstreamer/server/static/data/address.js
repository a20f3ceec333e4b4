/** Address: what the page shows as the fragment of its URL, so that it can be sent to somebody. */

/** Streams that the receiver lets one page follow. */
export const MOST_STREAMS = 100;

/**
 * @typedef {object} Sought
 * @property {string} pattern
 * @property {boolean} isCase
 * @property {boolean} onlyChosen
 */

/**
 * @typedef {object} Place
 * @property {string[]} streams paths
 * @property {{stream: string, offset: number} | null} line
 * @property {string} level least level, "" for everything
 * @property {Sought | null} [sought] the search whose results are shown
 */

/**
 * @param {Place} place
 * @returns {string} with its "#"
 */
export function fragmentOf(place) {
  const parts = place.streams.map((path) => `s=${escaped(path)}`);
  if (place.line) parts.push(`at=${escaped(place.line.stream)}@${place.line.offset}`);
  if (place.level) parts.push(`level=${escaped(place.level)}`);
  if (place.sought) {
    parts.push(`q=${escaped(place.sought.pattern)}`);
    if (place.sought.isCase) parts.push("case=1");
    if (place.sought.onlyChosen) parts.push("only=1");
  }
  return `#${parts.join("&")}`;
}

/**
 * @param {string} fragment with or without its "#"
 * @returns {Place}
 */
export function placeOf(fragment) {
  const fields = new URLSearchParams(fragment.replace(/^#/, "").replaceAll("+", "%2B"));
  const at = /^(.+)@(\d{1,15})$/s.exec(fields.get("at") ?? "");
  const line = at ? { stream: at[1], offset: Number(at[2]) } : null;
  const streams = [...new Set(fields.getAll("s"))];
  if (line && !streams.includes(line.stream)) streams.push(line.stream);
  const pattern = fields.get("q") ?? "";
  const sought = pattern === "" ? null : { pattern, isCase: fields.get("case") === "1", onlyChosen: fields.get("only") === "1" };
  return { streams, line, level: fields.get("level") ?? "", sought };
}

/** Readable, and safe in a fragment. @param {string} text */
function escaped(text) {
  return encodeURIComponent(text).replaceAll("%2F", "/");
}
