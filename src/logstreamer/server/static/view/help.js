/** Help: the keys. */

import { useEffect, useRef } from "../vendor/hooks.js";
import { html } from "./html.js";

/** @import {App} from "../app.js" */

/** @param {{app: App}} props */
export function Help({ app }) {
  const box = useRef(/** @type {HTMLDialogElement | null} */ (null));
  const isOpen = app.help.value;
  useEffect(() => {
    if (isOpen) box.current?.showModal();
    else box.current?.close();
  }, [isOpen]);
  return html`<dialog class="help" ref=${box} aria-labelledby="help-title" onClose=${() => (app.help.value = false)}>
    <h2 id="help-title">Keys</h2>
    <dl>
      ${app.commands.map((command) => html`<div><dt>${command.keys.map((key) => html`<kbd>${key === " " ? "Space" : key}</kbd>`)}</dt><dd>${command.title}</dd></div>`)}
    </dl>
    <p>A line's time is a link to it. What is shown is a view: copies and downloads are of the bytes.</p>
    <button class="tool" onClick=${() => (app.help.value = false)}>Close</button>
  </dialog>`;
}
