/**
 * What the receiver's API says, as docs/api.md describes it. Offsets are bytes of the stored file, times of lines are
 * seconds since the epoch. This module holds types only.
 *
 * @typedef {"trace" | "debug" | "info" | "warn" | "error" | "fatal"} Level
 *
 * @typedef {object} Line
 * @property {number} offset first byte
 * @property {number} end the byte after its newline
 * @property {string} text without newline, at most 64 KiB
 * @property {boolean} [cut] there is more text than that
 * @property {number | null} [time]
 * @property {number | null} [arrived]
 * @property {Level | null} [level]
 * @property {boolean} [more] continues the line above
 * @property {boolean} [open] has no newline yet
 *
 * @typedef {object} Mark
 * @property {number} offset
 * @property {string} kind start, rotated, truncated, gap, dead, back, failed, stopped, finished
 * @property {string} [at] RFC 3339
 * @property {string} [detail]
 * @property {number | null} [lost] bytes
 *
 * @typedef {object} LinesAnswer
 * @property {number} size
 * @property {number} from
 * @property {number} to
 * @property {boolean} start
 * @property {boolean} end
 * @property {Line[]} lines
 * @property {Mark[]} [marks]
 *
 * @typedef {object} LinesEvent
 * @property {string} stream
 * @property {number} from
 * @property {number} to
 * @property {Line[]} lines
 * @property {Mark[]} [marks]
 *
 * @typedef {object} SkipEvent
 * @property {string} stream
 * @property {number} from
 * @property {number} to
 *
 * @typedef {object} Change
 * @property {string} at RFC 3339
 * @property {string} state
 * @property {string} [detail]
 * @property {number} offset
 *
 * @typedef {object} Gap
 * @property {number} offset
 * @property {number | null} [lost] bytes
 * @property {string} [reason]
 * @property {string} [detail]
 *
 * @typedef {object} Status
 * @property {string} path SITE/JOB/FILE
 * @property {string} site
 * @property {string} job
 * @property {string} file
 * @property {string} state
 * @property {string} state_detail
 * @property {number} size
 * @property {number | null} last_data seconds ago
 * @property {number | null} last_beat seconds ago
 * @property {number | null} [ended] seconds ago: when the last run was over
 * @property {number} behind
 * @property {number} rate
 * @property {string} [last_line]
 * @property {string} [digest]
 * @property {string} [created] RFC 3339
 * @property {string} [modified] RFC 3339: when bytes were stored last
 * @property {string} [since] RFC 3339: when the state was entered
 * @property {Gap[]} [gaps]
 * @property {{offset: number}[]} [segments]
 * @property {Change[]} [history]
 *
 * @typedef {Line & {stream: string, match?: [number, number][], before?: Line[], after?: Line[]}} Hit "match": places in text
 *
 * @typedef {object} Progress
 * @property {number} scanned
 * @property {number} total
 * @property {number} [streams]
 * @property {{stream: string, offset: number, time?: number | null} | null} [scanned_to]
 *
 * @typedef {object} Done
 * @property {number} hits
 * @property {boolean} truncated not everything was looked at,
 * @property {string} [reason] because of "limit", "time" or "size", or as it "failed"
 * @property {string} [cursor] where to go on
 * @property {string[]} [unreadable] streams
 * @property {number} scanned
 * @property {number} total
 */

export {};
