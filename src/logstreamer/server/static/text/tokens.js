/** Tokens of a plain line: the parts that are drawn apart, so that the message stands out. */

/** @typedef {{text: string, cls: string}} Token */

const TIME = /^\s*\[?\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?\]?/;
const PARTS =
  /\b(TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|CRITICAL|FATAL)\b|\b[A-Za-z_][\w.-]{0,40}=|"(?:[^"\\]|\\.){0,200}"|\b\d+(?:\.\d+)?(?:e[+-]?\d+)?%?\b/g;
const LEVEL_PLACE = 80;
const MOST = 2000;

/**
 * @param {string} text without control sequences
 * @param {boolean} isHead whether the line may begin with a time and a level
 * @returns {Token[]}
 */
export function tokensOf(text, isHead) {
  /** @type {Token[]} */
  const tokens = [];
  let from = 0;
  const time = isHead ? TIME.exec(text) : null;
  if (time) {
    tokens.push({ text: time[0], cls: "t-time" });
    from = time[0].length;
  }
  const end = Math.min(text.length, MOST);
  let hasLevel = !isHead;
  for (const match of text.slice(0, end).slice(from).matchAll(PARTS)) {
    const at = match.index + (time?.[0].length ?? 0);
    if (at < from) continue;
    let cls = "t-number";
    if (match[1]) {
      if (hasLevel || at > LEVEL_PLACE) continue;
      hasLevel = true;
      cls = `t-level l-${shortLevel(match[1])}`;
    } else if (match[0].endsWith("=")) cls = "t-key";
    else if (match[0].startsWith('"')) cls = "t-string";
    if (at > from) tokens.push({ text: text.slice(from, at), cls: "" });
    tokens.push({ text: match[0], cls });
    from = at + match[0].length;
  }
  if (from < text.length) tokens.push({ text: text.slice(from), cls: "" });
  return tokens;
}

/** @param {string} word */
function shortLevel(word) {
  /** @type {Record<string, string>} */
  const names = { warning: "warn", critical: "fatal", notice: "info" };
  const level = word.toLowerCase();
  return names[level] ?? level;
}
