/** Needles: the strings that a search has matched in a line, found again in whatever part of it is shown. */

/** @import {Hit} from "../data/types.js" */

const MOST = 100;

/** What was matched in a hit, each string once. @param {Hit} hit @returns {string[]} */
export function needlesOf(hit) {
  const strings = (hit.match ?? []).map(([start, end]) => hit.text.slice(start, end)).filter((one) => one !== "");
  return [...new Set(strings)];
}

/**
 * Where they are, in order and apart from each other.
 * @param {string} text
 * @param {string[]} needles
 * @returns {[number, number][]}
 */
export function placesOf(text, needles) {
  /** @type {[number, number][]} */
  const found = [];
  for (const needle of needles) {
    for (let at = text.indexOf(needle); at >= 0 && found.length < MOST; at = text.indexOf(needle, at + needle.length)) {
      found.push([at, at + needle.length]);
    }
  }
  found.sort((a, b) => a[0] - b[0] || b[1] - a[1]);
  let end = 0;
  return found.filter((place) => place[0] >= end && (end = place[1]) > 0);
}
