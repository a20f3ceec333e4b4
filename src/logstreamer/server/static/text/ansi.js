/** Text with control sequences as spans: colours are kept, everything else that would move or hide text is not obeyed. */

/**
 * @typedef {object} Span
 * @property {string} text
 * @property {string} cls classes, may be ""
 * @property {string} [fg] a colour that has no class
 * @property {string} [bg]
 */

/** Most spans of one line; what follows is shown without colours. */
const MOST_SPANS = 1000;

// In this order: CSI; strings (OSC, DCS, ...) that are terminated, others must not hide the line; other escapes; control characters, and the
// invisible ones that reorder text. Each alternative is linear.
const SPECIAL =
  /\x1b\[([0-?]*)[ -/]*([@-~])|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[ -/]*[0-~]?|[\x00-\x08\x0a-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;

/** @typedef {{fg: string, bg: string, flags: Set<string>}} Style */

/**
 * @param {string} text one line
 * @returns {Span[]}
 */
export function spansOf(text) {
  /** @type {Span[]} */
  const spans = [];
  /** @type {Style} */
  const style = { fg: "", bg: "", flags: new Set() };
  let from = 0;
  for (const match of text.matchAll(SPECIAL)) {
    if (spans.length >= MOST_SPANS) break;
    if (match.index > from) spans.push(span(text.slice(from, match.index), style));
    from = match.index + match[0].length;
    if (match[2] === "m") apply(style, match[1]);
    else if (match[0][0] !== "\x1b") spans.push({ text: named(match[0]), cls: "ctl" });
    else if (match[0].length === 1) spans.push({ text: "␛", cls: "ctl" });
  }
  if (from < text.length) {
    const rest = text.slice(from);
    spans.push(span(spans.length >= MOST_SPANS ? rest.replace(SPECIAL, "") : rest, style));
  }
  return spans;
}

/** The text alone. @param {string} text */
export function plain(text) {
  return text.replace(SPECIAL, (match) => (match[0] === "\x1b" ? "" : named(match)));
}

/** A picture of a control character. @param {string} char */
function named(char) {
  const code = char.charCodeAt(0);
  if (code < 0x20) return String.fromCharCode(0x2400 + code);
  if (code === 0x7f) return "␡";
  return `⟨U+${code.toString(16).toUpperCase().padStart(4, "0")}⟩`;
}

/**
 * @param {string} text
 * @param {Style} style
 * @returns {Span}
 */
function span(text, style) {
  const classes = [...style.flags];
  /** @type {Span} */
  const made = { text, cls: "" };
  const [fg, bg] = style.flags.has("inverse") ? [style.bg, style.fg] : [style.fg, style.bg];
  if (fg.startsWith("#")) made.fg = fg;
  else if (fg) classes.push(`fg-${fg}`);
  if (bg.startsWith("#")) made.bg = bg;
  else if (bg) classes.push(`bg-${bg}`);
  made.cls = classes.join(" ");
  return made;
}

/** What hides text (8, conceal) is not among them. @type {Record<number, string>} */
const FLAGS = { 1: "bold", 2: "faint", 3: "italic", 4: "underline", 7: "inverse", 9: "strike" };

/**
 * Select Graphic Rendition (ECMA-48 8.3.117), with 256 and true colours.
 * @param {Style} style
 * @param {string} parameters
 */
function apply(style, parameters) {
  const codes = parameters.split(/[;:]/, 64).map((one) => Number(one) || 0);
  for (let at = 0; at < codes.length; at++) {
    const code = codes[at];
    if (code === 0) {
      style.fg = style.bg = "";
      style.flags.clear();
    } else if (FLAGS[code]) style.flags.add(FLAGS[code]);
    else if (code === 22) {
      style.flags.delete("bold");
      style.flags.delete("faint");
    } else if (code > 22 && FLAGS[code - 20]) style.flags.delete(FLAGS[code - 20]);
    else if (code >= 30 && code <= 37) style.fg = String(code - 30);
    else if (code >= 90 && code <= 97) style.fg = String(code - 82);
    else if (code >= 40 && code <= 47) style.bg = String(code - 40);
    else if (code >= 100 && code <= 107) style.bg = String(code - 92);
    else if (code === 39) style.fg = "";
    else if (code === 49) style.bg = "";
    else if (code === 38 || code === 48) {
      const used = codes[at + 1] === 2 ? 4 : 2;
      const colour = extended(codes.slice(at + 1, at + 1 + used));
      if (code === 38) style.fg = colour;
      else style.bg = colour;
      at += used;
    }
  }
}

/**
 * @param {number[]} codes 5;N or 2;R;G;B
 * @returns {string} "" if it is none
 */
function extended(codes) {
  if (codes[0] === 2) return hex(codes[1], codes[2], codes[3]);
  const number = codes[1];
  if (codes[0] !== 5 || number === undefined || number > 255) return "";
  if (number < 16) return String(number);
  if (number >= 232) return hex(...grey(8 + (number - 232) * 10));
  const level = (/** @type {number} */ n) => (n === 0 ? 0 : 55 + 40 * n);
  const cube = number - 16;
  return hex(level(Math.floor(cube / 36)), level(Math.floor(cube / 6) % 6), level(cube % 6));
}

/**
 * @param {number} value
 * @returns {[number, number, number]}
 */
function grey(value) {
  return [value, value, value];
}

/**
 * @param {number | undefined} r
 * @param {number | undefined} g
 * @param {number | undefined} b
 */
function hex(r = 0, g = 0, b = 0) {
  return "#" + [r, g, b].map((one) => Math.min(255, one).toString(16).padStart(2, "0")).join("");
}
