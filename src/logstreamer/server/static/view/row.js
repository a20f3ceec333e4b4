/** Row: one entry as it is drawn. */

import { Component } from "../vendor/preact.js";
import { fragmentOf } from "../data/address.js";
import { spansOf } from "../text/ansi.js";
import { briefOf } from "../text/brief.js";
import * as format from "../text/format.js";
import { placesOf } from "../text/needles.js";
import { isFoldable, shapeOf, SHOWN } from "../text/shape.js";
import { tokensOf } from "../text/tokens.js";
import { Fold } from "./fold.js";
import { html } from "./html.js";
import { markText } from "./marks.js";

/** @import {Entry} from "../data/entry.js" */
/** @import {Shape} from "../text/shape.js" */

/**
 * What all rows have in common. A new object when any of it changes.
 * @typedef {object} Setting
 * @property {boolean} wrap
 * @property {"local" | "utc" | "off"} zone
 * @property {Map<string, {lane: number, label: string}>} lanes of each stream; empty with one stream
 * @property {Map<string, string[]>} needles what to highlight, by the key of an entry
 * @property {(entry: Entry) => void} onFold
 * @property {(entry: Entry) => void} onSelect
 * @property {(entry: Entry) => void} onSkip
 */

/** @type {never[]} */
const NONE = [];
/** Characters of a hit that is named beside its line. */
const MOST_FOUND = 80;

/** @typedef {{entry: Entry, revision: number, selected: boolean, setting: Setting, key?: string}} Props */

/** @extends {Component<Props>} */
export class Row extends Component {
  /** @param {Props} next */
  shouldComponentUpdate(next) {
    const now = this.props;
    return (
      now.entry !== next.entry ||
      now.revision !== next.revision ||
      now.selected !== next.selected ||
      now.setting !== next.setting
    );
  }

  render() {
    const { entry, selected, setting } = this.props;
    if (entry.mark) return this.#mark(entry, setting);
    if (entry.skip) return this.#skip(entry, entry.skip, setting);
    if (entry.line === null) return null;
    const { line } = entry;
    const shape = shapeOf(entry);
    const classes = ["row", `lvl-${line.level ?? "none"}`];
    if (line.more) classes.push("is-more");
    if (selected) classes.push("is-selected");
    if (line.open) classes.push("is-open");
    return html`<div class=${classes.join(" ")} data-key=${entry.key} data-offset=${entry.offset} onClick=${() => setting.onSelect(entry)}>
      ${this.#when(entry, setting)} ${who(entry, setting)}
      <div class="what">
        ${isFoldable(shape) && this.#toggle(entry, shape, setting)}${entry.late && html`<span class="tag">late</span>`}${text(shape, setting, setting.needles.get(entry.key) ?? NONE, !line.more)}${line.cut && html`<span class="tag">longer than 64 KiB: ${format.size(line.end - line.offset)}</span>`}
        ${entry.unfolded && html`<${Fold} shape=${shape} />`}
      </div>
    </div>`;
  }

  /**
   * @param {Entry} entry
   * @param {Setting} setting
   */
  #when(entry, setting) {
    const time = entry.line?.time ?? entry.line?.arrived ?? null;
    const shown = time === null || setting.zone === "off" ? "" : format.clock(time, setting.zone === "utc");
    const title = time === null ? "link to this line" : `${format.stamp(time, setting.zone === "utc")} · byte ${format.count(entry.offset)}`;
    const place = { streams: [...setting.lanes.keys()], line: { stream: entry.stream, offset: entry.offset }, level: "" };
    return html`<a class="when" href=${fragmentOf(place)} title=${title} tabindex="-1" aria-label=${shown ? undefined : `Link to the line at byte ${entry.offset}`}>${shown ? [shown.slice(0, 8), html`<span class="ms">${shown.slice(8)}</span>`] : "¶"}</a>`;
  }

  /**
   * @param {Entry} entry
   * @param {Shape} shape
   * @param {Setting} setting
   */
  #toggle(entry, shape, setting) {
    const label = shape.past.length > 0 ? `⟲ ${shape.past.length}` : shape.json ? "{ }" : "…";
    const title = shape.past.length > 0 ? `${shape.past.length} earlier states` : shape.json ? "JSON" : "all of the line";
    const onClick = (/** @type {Event} */ event) => {
      event.stopPropagation();
      setting.onFold(entry);
    };
    return html`<button class="unfold" tabindex="-1" aria-expanded=${String(entry.unfolded)} title=${`${title} (o)`} onClick=${onClick}>${label}</button>`;
  }

  /**
   * @param {Entry} entry
   * @param {Setting} setting
   */
  #mark(entry, setting) {
    const { kind, title, detail } = markText(/** @type {import("../data/types.js").Mark} */ (entry.mark), setting.zone === "utc");
    return html`<div class=${`row mark mark-${kind}`} data-key=${entry.key} data-mark=${entry.mark?.kind}>
      <span class="mark-text">${who(entry, setting)}<b>${title}</b>${detail && html` <span>${detail}</span>`}</span>
    </div>`;
  }

  /**
   * @param {Entry} entry
   * @param {{from: number, to: number}} skip
   * @param {Setting} setting
   */
  #skip(entry, skip, setting) {
    return html`<div class="row mark mark-skip" data-key=${entry.key} data-mark="skip">
      <span class="mark-text">${who(entry, setting)}<b>${format.size(skip.to - skip.from)} went by too fast to be shown</b>
        <button class="link" onClick=${() => setting.onSkip(entry)}>read them</button></span>
    </div>`;
  }
}

/**
 * @param {Entry} entry
 * @param {Setting} setting
 */
function who(entry, setting) {
  const lane = setting.lanes.size > 1 ? setting.lanes.get(entry.stream) : undefined;
  return lane && html`<span class=${`who lane-${lane.lane}`} title=${entry.stream}>${lane.label}</span>`;
}

/** @typedef {import("../text/ansi.js").Span} Span */

/**
 * @param {Shape} shape
 * @param {Setting} setting
 * @param {string[]} needles
 * @param {boolean} isHead
 */
function text(shape, setting, needles, isHead) {
  const pieces = piecesOf(shape, setting, isHead);
  const places = needles.length > 0 ? placesOf(pieces.map((piece) => piece.text).join(""), needles) : [];
  let at = 0;
  const drawn = pieces.map((piece) => {
    const from = at;
    at += piece.text.length;
    const here = places.filter(([start, end]) => start < at && end > from);
    const content = here.length > 0 ? highlighted(piece.text, here.map(([start, end]) => [start - from, end - from])) : piece.text;
    if (!piece.cls && !piece.fg && !piece.bg) return content;
    // Set through the DOM, not as an attribute: the page's policy forbids styles in markup.
    const style = piece.fg || piece.bg ? { color: piece.fg ?? "", backgroundColor: piece.bg ?? "" } : undefined;
    return html`<span class=${piece.cls} style=${style}>${content}</span>`;
  });
  // It may lie behind what is shown of a long line, or in what the short form of JSON leaves out.
  const isHidden = needles.length > 0 && places.length === 0;
  return isHidden ? [...drawn, html` <span class="tag">found: <mark>${needles[0].slice(0, MOST_FOUND)}</mark></span>`] : drawn;
}

/**
 * @param {string} shown
 * @param {number[][]} places may reach over either end
 */
function highlighted(shown, places) {
  const parts = [];
  let from = 0;
  for (const [start, end] of places) {
    parts.push(shown.slice(from, Math.max(0, start)), html`<mark>${shown.slice(Math.max(0, start), end)}</mark>`);
    from = end;
  }
  return [...parts, shown.slice(from)];
}

/**
 * @param {Shape} shape
 * @param {Setting} setting
 * @param {boolean} isHead
 * @returns {Span[]}
 */
function piecesOf(shape, setting, isHead) {
  if (shape.json && !shape.long) return jsonPieces(shape.json, setting);
  const spans = spansOf(shape.long ? shape.text.slice(0, SHOWN) : shape.text);
  if (spans.length !== 1 || spans[0].cls !== "" || spans[0].fg || spans[0].bg) return spans;
  const tokens = tokensOf(spans[0].text, isHead);
  // The time stands beside the line already.
  if (tokens[0]?.cls === "t-time" && tokens.length > 1 && setting.zone !== "off") {
    tokens.shift();
    tokens[0].text = tokens[0].text.trimStart();
  }
  return tokens;
}

/**
 * A JSON line in short: its message first, then the rest as key=value.
 * @param {Record<string, unknown>} json
 * @param {Setting} setting
 * @returns {Span[]}
 */
function jsonPieces(json, setting) {
  const { level, message, fields } = briefOf(json, setting.zone !== "off");
  const pieces = [];
  if (level) pieces.push({ text: level, cls: "t-level" }, { text: " ", cls: "" });
  if (message) pieces.push({ text: message, cls: "t-message" }, { text: " ", cls: "" });
  for (const [name, value] of fields) pieces.push({ text: `${name}=`, cls: "t-key" }, { text: `${value} `, cls: "t-value" });
  return pieces;
}
