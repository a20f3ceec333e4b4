/** Rail: where the lines on the screen lie in the whole file; takes one anywhere in it. In the place of a scroll bar. */

import { useRef, useState } from "../vendor/hooks.js";
import * as format from "../text/format.js";
import { html } from "./html.js";

/** @import {App} from "../app.js" */

const DRAG_MS = 60;

/** @param {{app: App}} props */
export function Rail({ app }) {
  const [held, hold] = useState(/** @type {number | null} */ (null));
  const waiting = useRef(0);
  const place = app.place.value;
  if (place === null) return html`<div class="rail"></div>`;
  const at = held ?? place.fraction;

  /** @param {PointerEvent} event */
  const fractionOf = (event) => {
    const box = /** @type {HTMLElement} */ (event.currentTarget).getBoundingClientRect();
    return Math.max(0, Math.min(1, (event.clientY - box.top) / Math.max(1, box.height)));
  };
  /** @param {PointerEvent} event */
  const down = (event) => {
    /** @type {HTMLElement} */ (event.currentTarget).setPointerCapture(event.pointerId);
    move(event, true);
  };
  /** @param {PointerEvent} event @param {boolean} [begins] */
  const move = (event, begins = false) => {
    if (!begins && held === null) return;
    const fraction = fractionOf(event);
    hold(fraction);
    clearTimeout(waiting.current);
    waiting.current = setTimeout(() => void app.jumpToFraction(fraction), begins ? 0 : DRAG_MS);
  };
  const up = () => hold(null);
  /** @param {KeyboardEvent} event */
  const key = (event) => {
    /** @type {Record<string, number>} */
    const steps = { ArrowUp: -0.01, ArrowDown: 0.01, PageUp: -0.1, PageDown: 0.1, Home: -1, End: 1 };
    if (!(event.key in steps)) return;
    event.preventDefault();
    event.stopPropagation();
    void app.jumpToFraction(Math.max(0, Math.min(1, place.fraction + steps[event.key])));
  };
  const within = { top: `${at * 100}%`, transform: `translateY(${at * -100}%)` }; // at both ends all of it is seen
  const said = `${format.size(Math.round(at * place.size))} of ${format.size(place.size)}`;
  return html`<div
    class=${`rail ${held === null ? "" : "is-held"}`}
    role="slider"
    tabindex="0"
    aria-label="Place in the file"
    aria-orientation="vertical"
    aria-valuemin="0"
    aria-valuemax="100"
    aria-valuenow=${Math.round(at * 100)}
    aria-valuetext=${said}
    onPointerDown=${down}
    onPointerMove=${move}
    onPointerUp=${up}
    onPointerCancel=${up}
    onKeyDown=${key}
  >
    ${app.ticks.value.map((tick) => html`<i class=${`tick tick-${tick.kind}`} style=${{ top: `${tick.fraction * 100}%` }}></i>`)}
    <span class="thumb" style=${within}></span>
    ${held !== null && html`<span class="bubble" style=${within}>${said}</span>`}
  </div>`;
}
