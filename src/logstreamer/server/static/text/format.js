/** Numbers and times for people. */

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

/** 1536 as "1.5 KiB". @param {number} bytes */
export function size(bytes) {
  let value = bytes;
  let unit = 0;
  while (value >= 1023.95 && unit < UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 ? Math.round(value) : value.toFixed(value < 10 ? 2 : 1)} ${UNITS[unit]}`;
}

/** @param {number} bytes a second */
export function rate(bytes) {
  return `${size(bytes)}/s`;
}

/** 12345 as "12,345". @param {number} value */
export function count(value) {
  return value.toLocaleString("en-US");
}

/** How long ago, shortly: "4 s", "3 m", "2 h", "5 d". @param {number} ms */
export function age(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} m`;
  if (seconds < 172800) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86400)} d`;
}

/**
 * The time of day with milliseconds.
 * @param {number} seconds since the epoch
 * @param {boolean} isUtc
 */
export function clock(seconds, isUtc) {
  const date = moment(seconds, isUtc);
  return date.toISOString().slice(11, 23);
}

/**
 * Date and time with milliseconds and zone.
 * @param {number} seconds since the epoch
 * @param {boolean} isUtc
 */
export function stamp(seconds, isUtc) {
  const minutes = -new Date(seconds * 1000).getTimezoneOffset();
  const zone = `${minutes < 0 ? "-" : "+"}${pad(Math.abs(minutes) / 60)}:${pad(Math.abs(minutes) % 60)}`;
  return moment(seconds, isUtc).toISOString().slice(0, 23).replace("T", " ") + (isUtc ? " UTC" : ` ${zone}`);
}

/** The day alone. @param {number} seconds @param {boolean} isUtc */
export function day(seconds, isUtc) {
  return moment(seconds, isUtc).toISOString().slice(0, 10);
}

/**
 * A date whose UTC fields are those to be shown. Out of range times, which a log may hold, become the epoch.
 * @param {number} seconds
 * @param {boolean} isUtc
 */
function moment(seconds, isUtc) {
  const date = new Date(seconds * 1000);
  const shown = isUtc ? date : new Date(date.getTime() - date.getTimezoneOffset() * 60000);
  return Number.isNaN(shown.getTime()) || shown.getUTCFullYear() > 9999 || shown.getUTCFullYear() < 0 ? new Date(0) : shown;
}

/** @param {number} value */
function pad(value) {
  return String(Math.floor(value)).padStart(2, "0");
}
