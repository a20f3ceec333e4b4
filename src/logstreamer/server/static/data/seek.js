/** Seeking a time in a stream whose lines have times of their own. The receiver's index knows only when bytes arrived. */

import * as api from "./api.js";

/** @import {Line, LinesAnswer} from "./types.js" */

const PROBE = 20;
const MOST_PROBES = 48;

/** @param {Line | null | undefined} line */
export function timeOf(line) {
  return line?.time ?? line?.arrived ?? null;
}

/**
 * The offset of the first line of a time or later, where times do not fall; near it where they do.
 * @param {string} path
 * @param {number} time seconds since the epoch
 * @param {AbortSignal} signal
 * @returns {Promise<number>}
 */
export async function seek(path, time, signal) {
  let low = 0;
  let high = Infinity;
  let probe = (await api.at(path, time, signal)).offset;
  for (let count = 0; count < MOST_PROBES; count++) {
    const page = await api.lines(path, probe, 1, PROBE, signal);
    high = Math.min(high, page.size);
    const found = placeOn(page, time);
    if (found === "above") high = Math.min(high, page.from);
    else if (found === "below") low = Math.max(low, page.to);
    else return found;
    if (low >= high) return Math.min(low, high);
    probe = Math.floor((low + high) / 2);
  }
  return low;
}

/**
 * @param {LinesAnswer} page
 * @param {number} time
 * @returns {"above" | "below" | number}
 */
function placeOn(page, time) {
  const { lines } = page;
  const first = timeOf(lines[0]);
  if (lines.length === 0) return page.to;
  if (first === null || first >= time) return page.start ? page.from : "above";
  const there = lines.find((line) => (timeOf(line) ?? time) >= time);
  if (there !== undefined) return there.offset;
  return page.end ? page.to : "below";
}
