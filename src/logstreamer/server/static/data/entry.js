/** Entry: one thing in the log that has a place: a line, a mark, or bytes that were skipped. */

/** @import {Level, Line, Mark} from "./types.js" */

/**
 * @typedef {object} Entry
 * @property {string} key unlike that of every other entry
 * @property {string} stream its path
 * @property {number} offset
 * @property {number} end
 * @property {number} order seconds since the epoch; never falls within a stream
 * @property {Line | null} line
 * @property {Mark | null} mark
 * @property {{from: number, to: number} | null} skip bytes that are in the copy but not shown here
 * @property {boolean} late the first of those that came when lines of a later time were already shown
 * @property {boolean} unfolded its JSON, its history of \r or all of its text is shown
 * @property {number} height in pixels, as measured; 0: not measured
 * @property {number} revision grows with each change
 */

/** @type {Level[]} */
export const LEVELS = ["trace", "debug", "info", "warn", "error", "fatal"];

/**
 * @param {string} stream
 * @param {Line} line
 * @returns {Entry}
 */
export function lineEntry(stream, line) {
  return blank(`${stream}@${line.offset}`, stream, line.offset, line.end, { line });
}

/**
 * @param {string} stream
 * @param {Mark} mark
 * @returns {Entry}
 */
export function markEntry(stream, mark) {
  return blank(`${stream}@${mark.offset} ${mark.kind} ${mark.at ?? ""}`, stream, mark.offset, mark.offset, { mark });
}

/**
 * @param {string} stream
 * @param {number} from
 * @param {number} to
 * @returns {Entry}
 */
export function skipEntry(stream, from, to) {
  return blank(`${stream}@${from} skip`, stream, from, to, { skip: { from, to } });
}

/**
 * Lines and the marks between them, in the order of the file: a mark stands before the line at its offset.
 * @param {string} stream
 * @param {Line[]} lines
 * @param {Mark[]} marks
 * @returns {Entry[]}
 */
export function woven(stream, lines, marks) {
  /** @type {Entry[]} */
  const entries = [];
  const waiting = [...marks].sort((a, b) => a.offset - b.offset);
  for (const line of lines) {
    while (waiting.length > 0 && waiting[0].offset <= line.offset) {
      entries.push(markEntry(stream, /** @type {Mark} */ (waiting.shift())));
    }
    entries.push(lineEntry(stream, line));
  }
  return entries.concat(waiting.map((mark) => markEntry(stream, mark)));
}

/**
 * Whether an entry is shown when only *least* and what is worse is asked for. Marks always are.
 * @param {Entry} entry
 * @param {number} least index in LEVELS; 0: everything
 */
export function passes(entry, least) {
  return entry.line === null || lets(entry.line, least);
}

/**
 * The same of a line. One without a level counts as info; those of a stack trace have that of the line above them.
 * @param {Line} line
 * @param {number} least
 */
export function lets(line, least) {
  return least === 0 || LEVELS.indexOf(line.level ?? "info") >= least;
}

/** What an entry weighs in memory, about, in characters. @param {Entry} entry */
export function weightOf(entry) {
  return 200 + (entry.line?.text.length ?? 0);
}

/**
 * @param {string} key
 * @param {string} stream
 * @param {number} offset
 * @param {number} end
 * @param {Partial<Entry>} more
 * @returns {Entry}
 */
function blank(key, stream, offset, end, more) {
  const rest = { line: null, mark: null, skip: null, late: false, unfolded: false, height: 0, revision: 0 };
  return { key, stream, offset, end, order: 0, ...rest, ...more };
}
