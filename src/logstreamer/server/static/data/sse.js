/**
 * Server-Sent Events from a response's body. Not the browser's EventSource: that one hides pings, so that a silent
 * connection cannot be told from a dead one, and says nothing of why it was refused.
 */

/** @typedef {{event: string, data: string, id: string}} Message */

/** Turns text, in whatever pieces it comes, into messages. */
export class Decoder {
  #rest = "";
  #event = "";
  #id = "";
  /** @type {string[]} */
  #data = [];

  /**
   * The messages that are complete with *text*.
   * @param {string} text
   * @returns {Message[]}
   */
  feed(text) {
    /** @type {Message[]} */
    const found = [];
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop() ?? "";
    for (const raw of lines) {
      const line = raw.endsWith("\r") ? raw.slice(0, -1) : raw;
      if (line !== "") this.#field(line);
      else if (this.#data.length > 0) {
        found.push({ event: this.#event || "message", data: this.#data.join("\n"), id: this.#id });
        this.#data = [];
        this.#event = "";
      }
    }
    return found;
  }

  /** @param {string} line */
  #field(line) {
    const colon = line.indexOf(":");
    if (colon === 0) return;
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(line[colon + 1] === " " ? colon + 2 : colon + 1);
    if (name === "data") this.#data.push(value);
    else if (name === "event") this.#event = value;
    else if (name === "id") this.#id = value;
  }
}

/**
 * Read a body to its end.
 * @param {Response} response
 * @param {(message: Message) => void} onMessage
 * @param {() => void} onBytes anything came, pings too
 * @returns {Promise<void>}
 */
export async function read(response, onMessage, onBytes = () => {}) {
  if (response.body === null) return;
  const decoder = new Decoder();
  const utf8 = new TextDecoder();
  const reader = response.body.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    onBytes();
    for (const message of decoder.feed(utf8.decode(value, { stream: true }))) onMessage(message);
  }
}
