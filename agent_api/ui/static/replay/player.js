// @ts-check
/** The player: a trace, where in it the reader is, and how it moves on. It draws nothing. */

import { Pace } from './pace.js';
import { firstDifference } from './difference.js';
import { readTrace, TooLongError } from './reading.js';
import { transitionBefore } from './why.js';

/** @typedef {import('./trace.js').Trace} Trace */

/**
 * @typedef {object} Source Where a trace comes from; it may be read twice.
 * @property {string} name
 * @property {number} [size] bytes, if known
 * @property {() => Promise<ReadableStream<Uint8Array>>} open
 */

/** Seconds of the trace for each second of the clock. */
export const LINEAR_SPEEDS = [0.001, 0.01, 0.1, 1, 10];
/** The same of warped time, where a group of records takes a moment. */
export const WARPED_SPEEDS = [0.25, 0.5, 1, 2, 4, 16];

/** Seconds for each record where nothing may move. */
const HOP = 0.4;

export class Player {
  /** @param {() => void} changed called after every change */
  constructor(changed) {
    this.changed = changed;
    /** @type {Trace | null} */
    this.trace = null;
    /** @type {Trace | null} */
    this.other = null;
    /** @type {import('./difference.js').Difference | null} */
    this.difference = null;
    /** The current time in trace seconds, and how many records have happened. */
    this.at = 0;
    this.count = 0;
    this.isPlaying = false;
    this.skips = true;
    this.speed = 1;
    /** @type {number[]} times that the reader marked */
    this.marks = [];
    /** The node whose table is shown, and the one that it is compared with. */
    this.observer = '';
    this.against = '';
    /** The transition that the why panel explains; null: the last one. @type {number | null} */
    this.explained = null;
    /** What is being read, what went wrong, what must be decided. */
    this.loading = '';
    this.error = '';
    /** @type {{source: Source, isOther: boolean, text: string} | null} */
    this.question = null;
    /** @type {number | null} the guided tour's step */
    this.tour = null;
    this.#pace = null;
  }

  /** @type {Pace | null} */
  #pace;
  #frame = 0;
  #before = 0;

  /** The axis: warped or linear time. @returns {Pace} */
  get pace() {
    const trace = /** @type {Trace} */ (this.trace);
    this.#pace ??= this.skips ? Pace.warped(trace) : Pace.linear(trace);
    return this.#pace;
  }

  get speeds() {
    return this.skips ? WARPED_SPEEDS : LINEAR_SPEEDS;
  }

  /** The transition that the why panel explains, or null. @returns {number | null} */
  get subject() {
    return this.trace === null ? null : (this.explained ?? transitionBefore(this.trace, this.count));
  }

  /**
   * Reads a trace and shows it, or compares it with the one that is shown.
   *
   * @param {Source} source
   * @param {{isOther?: boolean, eventsOnly?: boolean}} options
   * @returns {Promise<boolean>} whether it was read
   */
  async load(source, { isOther = false, eventsOnly = false } = {}) {
    this.pause();
    Object.assign(this, { loading: `Reading ${source.name}…`, error: '', question: null });
    this.changed();
    try {
      const trace = await readTrace(await source.open(), {
        name: source.name,
        eventsOnly,
        progress: (bytes, records) => {
          const share = source.size ? ` (${Math.min(99, Math.floor((100 * bytes) / source.size))} %)` : '';
          this.loading = `Reading ${source.name}: ${records.toLocaleString('en')} records${share}…`;
          this.changed();
        },
      });
      if (isOther && this.trace) this.#compare(trace);
      else this.show(trace);
      return true;
    } catch (error) {
      const { message } = /** @type {Error} */ (error);
      if (error instanceof TooLongError) this.question = { source, isOther, text: message };
      else this.error = message;
      return false;
    } finally {
      this.loading = '';
      this.changed();
    }
  }

  /** @param {Trace} trace */
  show(trace) {
    Object.assign(this, { trace, other: null, difference: null, marks: [], explained: null, error: '', tour: null });
    this.#pace = null;
    this.observer = trace.nodes[0] ?? '';
    this.against = '';
    this.seek(0);
  }

  /** @param {Trace} other */
  #compare(other) {
    const trace = /** @type {Trace} */ (this.trace);
    this.other = other;
    this.difference = firstDifference(trace, other);
    if (this.difference) this.seekRecord(Math.min(this.difference.index, trace.records.length - 1));
  }

  // -- moving

  /** @param {number} at trace seconds */
  seek(at) {
    if (this.trace === null) return;
    this.at = Math.min(this.trace.end, Math.max(0, at));
    this.count = this.trace.countAt(this.at);
    this.explained = null;
    this.changed();
  }

  /** To the moment right after a record; records of the same time that follow have not happened yet. @param {number} index */
  seekRecord(index) {
    if (this.trace === null || index < 0 || index >= this.trace.records.length) return;
    this.at = this.trace.times[index];
    this.count = index + 1;
    this.explained = null;
    this.changed();
  }

  /** To a transition, and explains it. @param {number} index */
  explain(index) {
    this.seekRecord(index);
    this.explained = index;
    this.changed();
  }

  /**
   * To the next or previous record, transition or fault.
   *
   * @param {'record' | 'transition' | 'fault' | 'mark'} what
   * @param {1 | -1} direction
   */
  step(what, direction) {
    this.pause();
    if (this.trace === null) return;
    const current = this.count - 1;
    if (what === 'record') return this.seekRecord(current + direction);
    if (what === 'mark') {
      const times = this.marks.filter((at) => (direction > 0 ? at > this.at + 1e-9 : at < this.at - 1e-9));
      const at = direction > 0 ? times[0] : times.at(-1);
      return at === undefined ? undefined : this.seek(at);
    }
    const all = what === 'fault' ? this.trace.faults : this.trace.transitions;
    const next = direction > 0 ? all.find((index) => index > current) : all.findLast((index) => index < current);
    return next === undefined ? undefined : this.seekRecord(next);
  }

  /** Marks the current time, or removes its mark. */
  mark() {
    const isMarked = this.marks.includes(this.at);
    this.marks = isMarked ? this.marks.filter((at) => at !== this.at) : [...this.marks, this.at].sort((a, b) => a - b);
    this.changed();
  }

  /** @param {boolean} skips */
  skip(skips) {
    Object.assign(this, { skips, speed: 1 });
    this.#pace = null;
    this.changed();
  }

  // -- playing

  toggle() {
    if (this.isPlaying) this.pause();
    else this.play();
  }

  play() {
    if (this.trace === null || this.isPlaying) return;
    if (this.at >= this.trace.end) this.seek(0);
    this.isPlaying = true;
    this.#before = performance.now();
    this.#frame = requestAnimationFrame((now) => this.#tick(now));
    this.changed();
  }

  pause() {
    if (!this.isPlaying) return;
    this.isPlaying = false;
    cancelAnimationFrame(this.#frame);
    this.changed();
  }

  /** Whether nothing may move: then playing is a step after another. */
  get isStill() {
    return matchMedia('(prefers-reduced-motion: reduce)').matches;
  }

  /** @param {number} now milliseconds */
  #tick(now) {
    if (this.isStill) return this.#hop(now);
    const wall = this.pace.wallAt(this.at) + (Math.max(0, now - this.#before) / 1000) * this.speed;
    this.#before = now;
    this.seek(this.pace.timeAt(wall));
    if (this.trace && this.at >= this.trace.end) this.pause();
    else this.#frame = requestAnimationFrame((next) => this.#tick(next));
  }

  /** The next record, once in a while. @param {number} now milliseconds */
  #hop(now) {
    const trace = /** @type {Trace} */ (this.trace);
    if (now - this.#before >= (1000 * HOP) / this.speed) {
      this.#before = now;
      this.seekRecord(this.count);
    }
    if (this.count >= trace.records.length) this.pause();
    else this.#frame = requestAnimationFrame((next) => this.#tick(next));
  }
}
