/** Requests to the receiver. The session cookie lets them in; nothing here knows the token. */

/** @import {LinesAnswer, Status} from "./types.js" */

const ROOT = "/api/v1";

/** What the receiver answered instead of what was asked for. */
export class ApiError extends Error {
  /**
   * @param {number} status of HTTP
   * @param {string} message for a person
   */
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/**
 * The address of a stream, or of what lies below it.
 * @param {string} path SITE/JOB/FILE
 * @param {string} [below] such as "/bytes"
 */
export function streamUrl(path, below = "") {
  return `${ROOT}/streams/${path.split("/").map(encodeURIComponent).join("/")}${below}`;
}

/**
 * One request whose answer is a body that is read as it comes.
 * @param {string} place below the API's root
 * @param {[string, string][]} query
 * @param {AbortSignal} signal
 * @returns {Promise<Response>}
 */
export async function open(place, query, signal) {
  const asked = new URLSearchParams(query).toString();
  return checked(await fetch(`${ROOT}${place}${asked && "?"}${asked}`, { signal, cache: "no-store" }));
}

/**
 * Whole lines around a byte.
 * @param {string} path
 * @param {number} offset -1: the end
 * @param {number} before most lines above it
 * @param {number} after most lines from it on
 * @param {AbortSignal} [signal]
 * @returns {Promise<LinesAnswer>}
 */
export function lines(path, offset, before, after, signal) {
  return json(streamUrl(path, `/lines?offset=${offset}&before=${before}&after=${after}`), signal);
}

/**
 * Where the bytes begin that arrived at a time or later.
 * @param {string} path
 * @param {number} time seconds since the epoch
 * @param {AbortSignal} [signal]
 * @returns {Promise<{offset: number}>}
 */
export function at(path, time, signal) {
  return json(streamUrl(path, `/at?time=${time}`), signal);
}

/**
 * One stream with its segments, gaps and history.
 * @param {string} path
 * @param {AbortSignal} [signal]
 * @returns {Promise<Status>}
 */
export function stream(path, signal) {
  return json(streamUrl(path), signal);
}

/**
 * @param {string} url
 * @param {AbortSignal} [signal]
 */
async function json(url, signal) {
  return (await checked(await fetch(url, { signal, cache: "no-store" }))).json();
}

/**
 * @param {Response} response
 * @returns {Promise<Response>}
 */
async function checked(response) {
  if (response.ok) return response;
  let message = `the receiver answered ${response.status}`;
  try {
    message = (await response.json()).error || message;
  } catch {
    // Not JSON: a proxy in between may answer in its own words.
  }
  throw new ApiError(response.status, message);
}
