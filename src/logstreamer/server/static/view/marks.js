/** Marks in words. */

import * as format from "../text/format.js";

/** @import {Mark} from "../data/types.js" */

/** @type {Record<string, string>} */
const TITLES = {
  start: "the copy begins",
  rotated: "rotated: a new file at the path",
  truncated: "truncated: the file begins anew",
  gap: "gap: bytes are missing here",
  dead: "the sender died here",
  back: "the sender is back",
  failed: "failed",
  refused: "refused by the site: its logs are not to be streamed",
  stopped: "the sender was stopped here",
  finished: "finished",
};

/**
 * @param {Mark} mark
 * @param {boolean} isUtc
 * @returns {{kind: string, title: string, detail: string}}
 */
export function markText(mark, isUtc) {
  const time = mark.at ? Date.parse(mark.at) / 1000 : NaN;
  const parts = [];
  if (mark.kind === "gap" && mark.lost != null) parts.push(`${format.size(mark.lost)} lost`);
  if (mark.detail) parts.push(mark.detail);
  if (!Number.isNaN(time)) parts.push(format.stamp(time, isUtc).slice(0, 19));
  const kind = mark.kind in TITLES ? mark.kind : "other";
  return { kind, title: TITLES[mark.kind] ?? mark.kind, detail: parts.join(" · ") };
}
