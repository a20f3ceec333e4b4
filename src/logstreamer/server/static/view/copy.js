/** Copy: what is copied from several lines is their text as it is stored, not what is drawn of it. */

/** @import {Timeline} from "../data/timeline.js" */

/**
 * @param {ClipboardEvent} event
 * @param {Timeline} timeline
 */
export function onCopy(event, timeline) {
  const selection = document.getSelection();
  if (!selection || selection.isCollapsed || !event.clipboardData) return;
  const rows = [...document.querySelectorAll(".log-rows > .row")].filter((row) => selection.containsNode(row, true));
  if (rows.length < 2) return; // Of a part of one line: what was selected.
  const byKey = new Map(timeline.entries.map((entry) => [entry.key, entry]));
  const texts = rows.flatMap((row) => byKey.get(/** @type {HTMLElement} */ (row).dataset.key ?? "")?.line?.text ?? []);
  event.clipboardData.setData("text/plain", texts.map((text) => `${text}\n`).join(""));
  event.preventDefault();
}
