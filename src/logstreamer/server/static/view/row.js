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
    return html`<a class="when" href=${fragmentOf(place)} title=${title} tabindex="-1" aria-label=${`Link to the line at byte ${entry.offset}`}>${shown ? [shown.slice(0, 8), html`<span class="ms">${shown.slice(8)}</span>`] : "¶"}</a>`;
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

/**
 * @param {Shape} shape
 * @param {Setting} setting
 * @param {string[]} needles
 * @param {boolean} isHead
 */
function text(shape, setting, needles, isHead) {
  const shown = shape.long ? shape.text.slice(0, SHOWN) : shape.text;
  if (shape.json && shown.length <= SHOWN) return jsonText(shape.json, setting, needles);
  const spans = spansOf(shown);
  if (spans.length === 1 && spans[0].cls === "" && !spans[0].fg && !spans[0].bg) {
    const tokens = tokensOf(spans[0].text, isHead);
    // The time stands beside the line already.
    if (tokens[0]?.cls === "t-time" && tokens.length > 1 && setting.zone !== "off") {
      tokens.shift();
      tokens[0].text = tokens[0].text.trimStart();
    }
    return tokens.map((token) => piece(token.text, token.cls, needles));
  }
  return spans.map((span) => piece(span.text, span.cls, needles, span.fg, span.bg));
}

/**
 * A JSON line in short: its message first, then the rest as key=value.
 * @param {Record<string, unknown>} json
 * @param {Setting} setting
 * @param {string[]} needles
 */
function jsonText(json, setting, needles) {
  const { level, message, fields } = briefOf(json, setting.zone !== "off");
  const parts = [];
  if (level) parts.push(piece(level, "t-level", needles), " ");
  if (message) parts.push(piece(message, "t-message", needles), " ");
  for (const [name, value] of fields) parts.push(piece(`${name}=`, "t-key", needles), piece(value, "t-value", needles), " ");
  return parts;
}

/**
 * @param {string} shown
 * @param {string} cls
 * @param {string[]} needles
 * @param {string} [fg]
 * @param {string} [bg]
 */
function piece(shown, cls, needles, fg, bg) {
  const found = needles === NONE ? NONE : placesOf(shown, needles);
  /** @type {unknown} */
  let content = shown;
  if (found.length > 0) {
    const parts = [];
    let from = 0;
    for (const [start, end] of /** @type {[number, number][]} */ (found)) {
      parts.push(shown.slice(from, start), html`<mark>${shown.slice(start, end)}</mark>`);
      from = end;
    }
    content = [...parts, shown.slice(from)];
  }
  if (!cls && !fg && !bg) return content;
  // Set through the DOM, not as an attribute: the page's policy forbids styles in markup.
  const style = fg || bg ? { color: fg ?? "", backgroundColor: bg ?? "" } : undefined;
  return html`<span class=${cls} style=${style}>${content}</span>`;
}
