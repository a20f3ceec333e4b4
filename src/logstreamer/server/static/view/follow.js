/** Follow: whether the lines on the screen are live, in words. */

import { signOf } from "./state.js";

/** @import {App} from "../app.js" */

/** @typedef {{isLive: boolean, sign: string, short: string, long: string}} Words */

/** States in which nothing comes, and what may change that. @type {Record<string, {short: string, long: string}>} */
const STILL = {
  finished: { short: "Finished", long: "finished" },
  failed: { short: "Failed", long: "failed" },
  "refused by site": { short: "Refused", long: "refused by site" },
  stopped: { short: "Stopped", long: "stopped, waiting for its sender" },
  dead: { short: "Dead", long: "dead, waiting for its sender" },
  unknown: { short: "Waiting", long: "unknown, waiting for its sender" },
  waiting: { short: "Waiting", long: "waiting for the file" },
};

/** @param {App} app @returns {Words} */
export function followWords(app) {
  const { follow, attached } = app.timeline;
  if (!follow.value) return { isLive: false, sign: "▶", short: "Paused", long: attached.value ? "paused" : "reading history" };
  const { state } = app.live.link.value;
  if (state === "lost") return { isLive: false, sign: "✕", short: "Not live", long: "connection lost, not live" };
  if (state === "connecting") return { isLive: false, sign: "○", short: "Connecting", long: "connecting ..." };
  void app.sources.list.value;
  const states = app.chosen.value.map((path) => app.sources.get(path)?.status.value.state ?? "waiting");
  const moving = states.filter((one) => !(one in STILL)).length;
  if (states.length > 0 && moving === 0) {
    const same = new Set(states).size === 1 ? STILL[states[0]] : { short: "Ended", long: "none of them is live" };
    return { isLive: false, sign: signOf(states[0]), ...same };
  }
  const part = moving < states.length ? `, ${moving} of ${states.length}` : "";
  return { isLive: true, sign: "❚❚", short: "Following", long: `following live${part}` };
}
