/**
 * Scroller: draws of a timeline what can be seen, and no more. The browser scrolls through what is loaded; the timeline
 * moves under it, so that a file of any size needs neither memory nor a tall element.
 *
 * The place on the screen is held by an anchor: the first visible entry, and how far it is scrolled out. Whatever is
 * added or removed above it, or turns out to be taller than thought, the anchor stays where it is.
 */

import { render } from "../vendor/preact.js";
import { signal } from "../vendor/signals.js";
import { SHOWN } from "../text/shape.js";
import { Heights } from "./heights.js";
import { html } from "./html.js";
import { Row } from "./row.js";

/** @import {Entry} from "../data/entry.js" */
/** @import {Timeline} from "../data/timeline.js" */
/** @import {Setting} from "./row.js" */

const OVERSCAN = 400;
const NEAR_END = 120;
const ROW = 20;
const PASSES = 4;

export class Scroller {
  /** @type {import("../vendor/signals.js").Signal<Entry | null>} */
  selected = signal(null);
  /** The first entry on the screen. @type {import("../vendor/signals.js").Signal<Entry | null>} */
  first = signal(null);

  #heights = new Heights();
  /** What the heights are of. @type {Entry[]} */
  #entries = [];
  /** @type {{entry: Entry, delta: number} | null} */
  #anchor = null;
  #columns = 100;
  #width = 0;
  #set = -1;
  #frame = 0;
  /** @type {HTMLElement} */
  #box;
  #space = document.createElement("div");
  #rows = document.createElement("div");
  /** @type {ResizeObserver} */
  #observer;

  /**
   * @param {HTMLElement} box scrolls
   * @param {Timeline} timeline
   * @param {Setting} setting
   */
  constructor(box, timeline, setting) {
    this.#box = box;
    this.timeline = timeline;
    this.#setting = setting;
    this.#space.className = "log-space";
    this.#rows.className = "log-rows";
    this.#space.append(this.#rows);
    box.append(this.#space);
    this.#observer = new ResizeObserver(() => this.#resized());
    this.#observer.observe(box);
    box.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    box.addEventListener("wheel", (event) => event.deltaY < 0 && this.#leave(), { passive: true });
    box.addEventListener("touchmove", () => this.#leave(), { passive: true });
    document.addEventListener("selectionchange", this.#onSelection);
  }

  #setting;

  /** Take everything off the page again. */
  stop() {
    cancelAnimationFrame(this.#frame);
    this.#observer.disconnect();
    document.removeEventListener("selectionchange", this.#onSelection);
    render(null, this.#rows);
    this.#space.remove();
  }

  /** @param {Setting} setting */
  set(setting) {
    if (setting.wrap !== this.#setting.wrap || setting.zone !== this.#setting.zone) this.#forgetHeights();
    this.#setting = setting;
    this.draw();
  }

  /** Draw in the next frame. */
  draw() {
    if (this.#frame) return;
    this.#frame = requestAnimationFrame(() => {
      this.#frame = 0;
      this.#paint();
    });
  }

  /**
   * Select an entry and bring it into view.
   * @param {Entry} entry
   * @param {boolean} [high] put it at a third of the height, even if it is visible
   */
  reveal(entry, high = false) {
    this.selected.value = entry;
    this.timeline.pause();
    const index = this.timeline.entries.indexOf(entry);
    if (index >= 0) {
      this.#build();
      const view = this.#box.clientHeight;
      const [top, bottom] = [this.#heights.top(index), this.#heights.top(index + 1)];
      const at = this.#wantedTop();
      if (high) this.#anchorAt(top - view / 3);
      else if (top < at) this.#anchorAt(top);
      else if (bottom > at + view) this.#anchorAt(bottom - view);
    }
    this.draw();
  }

  /**
   * Move the selection to the next line; marks are passed over.
   * @param {1 | -1} step
   */
  move(step) {
    const { entries } = this.timeline;
    const selected = this.selected.value;
    let index = selected ? entries.indexOf(selected) : -1;
    if (index < 0) index = this.#heights.indexAt(this.#box.scrollTop + (step < 0 ? this.#box.clientHeight : 0)) - step;
    do index += step;
    while (entries[index]?.line === null);
    const next = entries[index] ?? selected;
    if (next) this.reveal(next);
  }

  /**
   * Select the next entry for which something holds.
   * @param {1 | -1} step
   * @param {(entry: Entry) => boolean} holds
   * @returns {boolean} whether there is one among those that are loaded
   */
  seek(step, holds) {
    const { entries } = this.timeline;
    let index = this.selected.value ? entries.indexOf(this.selected.value) : -1;
    if (index < 0) {
      // From what is on the screen: what is visible counts in either direction.
      this.#build();
      const top = this.#wantedTop();
      index = step > 0 ? this.#heights.indexAt(top) - 1 : this.#heights.indexAt(top + this.#box.clientHeight) + 1;
    }
    for (index += step; index >= 0 && index < entries.length; index += step) {
      if (!holds(entries[index])) continue;
      this.reveal(entries[index], true);
      return true;
    }
    return false;
  }

  /** Scroll by a part of the height. @param {number} part */
  page(part) {
    if (part < 0) this.timeline.pause();
    this.#box.scrollTop += part * this.#box.clientHeight;
  }

  /** Unfold or fold a line. @param {Entry} entry */
  fold(entry) {
    entry.unfolded = !entry.unfolded;
    entry.revision++;
    entry.height = 0;
    this.timeline.pause();
    this.draw();
  }

  #onSelection = () => {
    const selection = document.getSelection();
    if (selection && !selection.isCollapsed && this.#rows.contains(selection.anchorNode)) this.timeline.pause();
  };

  #leave() {
    if (this.#heights.total > this.#box.clientHeight) this.timeline.pause();
  }

  #scrolled() {
    const top = this.#box.scrollTop;
    if (Math.abs(top - this.#set) < 1.5) return;
    const isDown = top > this.#set;
    this.#set = top;
    const isEnd = top + this.#box.clientHeight >= this.#heights.total - 2;
    if (isEnd && isDown && this.timeline.attached.value) {
      if (!this.timeline.follow.value) void this.timeline.resume();
    } else if (!isEnd && !isDown) this.timeline.pause(); // a late event of a page down, before the jump to the end, is none
    this.#anchorAt(top);
    this.draw();
  }

  #resized() {
    if (Math.abs(this.#box.clientWidth - this.#width) >= 1) this.#forgetHeights();
    this.draw();
  }

  #forgetHeights() {
    this.#width = this.#box.clientWidth;
    this.#columns = Math.max(10, Math.floor((this.#width - 130) / 7.8));
    for (const entry of this.timeline.entries) entry.height = 0;
  }

  // -- where things are

  #build() {
    this.#entries = this.timeline.entries;
    this.#heights.build(this.#entries, (entry) => this.#estimate(entry));
  }

  /** @param {Entry} entry */
  #estimate(entry) {
    if (entry.line === null) return 32;
    if (!this.#setting.wrap) return ROW;
    return ROW * Math.max(1, Math.ceil(Math.min(SHOWN, entry.line.text.length) / this.#columns));
  }

  /** @param {number} y */
  #anchorAt(y) {
    const top = Math.max(0, Math.min(y, this.#heights.total - this.#box.clientHeight));
    const index = this.#heights.indexAt(top);
    // Of those that are on the screen: the timeline may have moved since they were drawn.
    const entry = this.#entries[index];
    this.#anchor = entry ? { entry, delta: top - this.#heights.top(index) } : null;
  }

  #wantedTop() {
    const last = Math.max(0, this.#heights.total - this.#box.clientHeight);
    if (this.timeline.follow.value) return last;
    if (this.#anchor === null) return Math.min(last, this.#box.scrollTop);
    const index = this.timeline.entries.indexOf(this.#anchor.entry);
    if (index < 0) return Math.min(last, this.#box.scrollTop);
    return Math.max(0, Math.min(last, this.#heights.top(index) + this.#anchor.delta));
  }

  // -- drawing

  #paint() {
    const view = this.#box.clientHeight;
    if (this.#width === 0) this.#forgetHeights();
    let [from, to] = [0, 0];
    let top = 0;
    for (let pass = 0; pass < PASSES; pass++) {
      this.#build();
      top = this.#wantedTop();
      from = this.#heights.indexAt(top - OVERSCAN);
      to = Math.min(this.timeline.entries.length, this.#heights.indexAt(top + view + OVERSCAN) + 1);
      this.#render(from, to);
      if (!this.#measure(from)) break;
    }
    this.#build();
    top = this.#wantedTop();
    this.#space.style.height = `${this.#heights.total}px`;
    this.#rows.style.transform = `translateY(${this.#heights.top(from)}px)`;
    if (Math.abs(this.#box.scrollTop - top) > 0.5) this.#box.scrollTop = top;
    this.#set = this.#box.scrollTop;
    this.#anchorAt(top);
    this.first.value = this.timeline.entries[this.#heights.indexAt(top + 1)] ?? null;
    if (from < NEAR_END && !this.timeline.atStart) void this.timeline.loadAbove();
    if (to > this.timeline.entries.length - NEAR_END && !this.timeline.attached.value) void this.timeline.loadBelow();
  }

  /**
   * @param {number} from
   * @param {number} to
   */
  #render(from, to) {
    const { entries } = this.timeline;
    const selected = this.selected.value;
    const rows = [];
    for (let index = from; index < to; index++) {
      const entry = entries[index];
      rows.push(
        html`<${Row} key=${entry.key} entry=${entry} revision=${entry.revision} selected=${entry === selected} setting=${this.#setting} />`,
      );
    }
    render(rows, this.#rows);
  }

  /**
   * Take the true heights of the rows that are drawn.
   * @param {number} from
   * @returns {boolean} whether one was not as thought
   */
  #measure(from) {
    let isChanged = false;
    let index = from;
    for (const row of this.#rows.children) {
      const entry = this.timeline.entries[index++];
      const height = row.getBoundingClientRect().height;
      if (Math.abs((entry.height || this.#estimate(entry)) - height) > 0.5) isChanged = true;
      entry.height = height;
    }
    return isChanged;
  }
}
