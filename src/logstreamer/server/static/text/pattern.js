/** Where a search pattern matches in a line, to highlight it. The search itself is the receiver's. */

const MOST_TEXT = 4000;
const MOST_MATCHES = 100;

/**
 * A JavaScript expression for a pattern of the receiver's engine, where the two mean the same and matching takes no
 * longer than a person notices: nothing that repeats a group, which is what makes an expression take for ever.
 * @param {string} pattern
 * @param {boolean} isCase
 * @returns {RegExp | null}
 */
export function highlighter(pattern, isCase) {
  const bare = pattern.replace(/\\./g, "x").replace(/\[[^\]]*\]/g, "x");
  if (pattern === "" || /\)[*+?{]/.test(bare) || /\(\?/.test(bare) || (bare.match(/[*+{]/g)?.length ?? 0) > 3) return null;
  try {
    return new RegExp(pattern, isCase ? "g" : "gi");
  } catch {
    return null;
  }
}

/**
 * @param {string} text
 * @param {RegExp | null} expression
 * @returns {[number, number][]} places, in order
 */
export function matches(text, expression) {
  if (expression === null) return [];
  /** @type {[number, number][]} */
  const found = [];
  for (const match of text.slice(0, MOST_TEXT).matchAll(expression)) {
    if (match[0] !== "") found.push([match.index, match.index + match[0].length]);
    if (found.length >= MOST_MATCHES) break;
  }
  return found;
}
