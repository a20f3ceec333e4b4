/** Look: how this person wants lines to be drawn. Kept in this browser. */

import { computed, signal } from "../vendor/signals.js";

/** @import {Signal} from "../vendor/signals.js" */

/** @typedef {"local" | "utc" | "off"} Zone */

/** @type {Zone[]} */
const ZONES = ["local", "utc", "off"];
const THEMES = ["auto", "dark", "light"];

export const wrap = kept("wrap", "on", ["on", "off"]);
export const zone = /** @type {Signal<Zone>} */ (kept("zone", "local", ZONES));
export const theme = kept("theme", "auto", THEMES);

/** Changes when rows have to be drawn anew. */
export const look = computed(() => ({ wrap: wrap.value === "on", zone: zone.value }));

export function toggleWrap() {
  wrap.value = wrap.value === "on" ? "off" : "on";
}

export function nextZone() {
  zone.value = ZONES[(ZONES.indexOf(zone.value) + 1) % ZONES.length];
}

export function nextTheme() {
  theme.value = THEMES[(THEMES.indexOf(theme.value) + 1) % THEMES.length];
}

/**
 * @param {string} name
 * @param {string} initial
 * @param {string[]} allowed
 */
function kept(name, initial, allowed) {
  const key = `logstreamer.${name}`;
  const made = signal(allowed.find((one) => one === read(key)) ?? initial);
  made.subscribe((value) => {
    try {
      localStorage.setItem(key, value);
    } catch {
      // Storage may be forbidden: then it lasts as long as the tab.
    }
    if (name === "theme") document.documentElement.dataset.theme = value;
  });
  return made;
}

/** @param {string} key */
function read(key) {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}
