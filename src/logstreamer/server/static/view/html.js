/** html`...`: Preact elements from templates. Text in them is always text, never markup. */

import { h } from "../vendor/preact.js";
import htm from "../vendor/htm.js";

export const html = htm.bind(h);
