/** Sparkline: the rate of the last minute. */

import { html } from "./html.js";

const WIDTH = 72;
const HEIGHT = 18;

/** @param {{rates: number[]}} props oldest first */
export function Sparkline({ rates }) {
  const most = Math.max(1, ...rates);
  const step = WIDTH / 47;
  const from = WIDTH - (rates.length - 1) * step;
  const points = rates.map((rate, index) => `${(from + index * step).toFixed(1)},${(HEIGHT - 1.5 - (rate / most) * (HEIGHT - 4)).toFixed(1)}`);
  const line = points.join(" ");
  return html`<svg class="spark" viewBox=${`0 0 ${WIDTH} ${HEIGHT}`} width=${WIDTH} height=${HEIGHT} aria-hidden="true">
    ${rates.some((rate) => rate > 0) && html`<polygon points=${`${from.toFixed(1)},${HEIGHT} ${line} ${WIDTH},${HEIGHT}`} /><polyline points=${line} />`}
  </svg>`;
}
