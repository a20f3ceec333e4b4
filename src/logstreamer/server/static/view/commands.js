/** Commands: what keys do. */

/** @import {App} from "../app.js" */

/** @typedef {{keys: string[], title: string, run: (app: App) => void}} Command */

/** @type {Command[]} */
export const COMMANDS = [
  { keys: ["/"], title: "search everything that is stored", run: (app) => app.openSearch() },
  { keys: ["n", "N"], title: "next and previous hit", run: (app) => app.nextHit(1) },
  { keys: ["f", " "], title: "follow or pause", run: (app) => app.toggleFollow() },
  { keys: ["g"], title: "to the beginning", run: (app) => void app.jumpToFraction(0) },
  { keys: ["G"], title: "to the end, and follow", run: (app) => void app.jumpToLive() },
  { keys: ["j", "k"], title: "next and previous line", run: (app) => app.scroller?.move(1) },
  { keys: ["e", "E"], title: "next and previous error", run: (app) => app.nextError(1) },
  { keys: ["o", "Enter"], title: "unfold the line: JSON, earlier states of \\r, all of a long one", run: (app) => app.unfold() },
  { keys: ["y"], title: "copy a link to the line", run: (app) => void app.copyLink() },
  { keys: ["l"], title: "next least level", run: (app) => app.setLevel((app.timeline.least.value + 1) % 6) },
  { keys: ["w"], title: "wrap long lines", run: (app) => app.toggleWrap() },
  { keys: ["t"], title: "times: local, UTC, none", run: (app) => app.nextZone() },
  { keys: ["[", "]"], title: "previous and next stream", run: (app) => app.nextStream(-1) },
  { keys: ["s"], title: "filter the streams", run: (app) => app.focusSources() },
  { keys: ["i"], title: "details of the stream", run: (app) => app.toggleDetails() },
  { keys: ["d"], title: "download the stream", run: (app) => app.download() },
  { keys: ["?"], title: "this list", run: (app) => (app.help.value = true) },
  { keys: ["Esc"], title: "close what is open", run: (app) => app.close() },
];

/** Second keys of a pair, which go the other way. @type {Record<string, (app: App) => void>} */
const OTHERS = {
  N: (app) => app.nextHit(-1),
  k: (app) => app.scroller?.move(-1),
  E: (app) => app.nextError(-1),
  "]": (app) => app.nextStream(1),
  Escape: (app) => app.close(),
  ArrowDown: (app) => app.scroller?.move(1),
  ArrowUp: (app) => app.scroller?.move(-1),
  PageDown: (app) => app.scroller?.page(0.9),
  PageUp: (app) => app.scroller?.page(-0.9),
  Home: (app) => void app.jumpToFraction(0),
  End: (app) => void app.jumpToLive(),
};

/**
 * Let keys run commands, except where text is written, and where a control uses the key itself.
 * @param {App} app
 */
export function listen(app) {
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    const target = /** @type {HTMLElement} */ (event.target);
    if (target.closest("input[type=text], input[type=search], select, textarea, dialog")) {
      if (event.key === "Escape" && !target.closest("dialog")) target.blur();
      return;
    }
    if ((event.key === " " || event.key === "Enter") && target.closest("button, a, label, input")) return;
    const run = OTHERS[event.key] ?? COMMANDS.find((command) => command.keys.includes(event.key))?.run;
    if (!run) return;
    event.preventDefault();
    run(app);
  });
}
