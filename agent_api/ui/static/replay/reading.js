// @ts-check
/** Reads a trace: JSON lines, in slices, so that a long one neither blocks the page nor fills its memory. */

import { Trace } from './trace.js';

/** The version of the records that this page reads, as `swim.trace.FORMAT`. */
export const FORMAT = 1;
/** A trace of more records is not read whole: the page asks whether to load its events only. */
export const RECORDS_MAX = 200_000;
/** Of a trace without packets, no more records are kept. */
export const EVENTS_MAX = 1_000_000;
/** Characters of one line; a longer one is no line of a trace. */
export const LINE_MAX = 8 << 20;
/** Milliseconds of reading between two frames. */
const SLICE = 8;
/** A clock that goes back by more seconds than this is reported; live traces write events a little late. */
const LATE = 1;
/** A step forward of more seconds than this is reported, because no axis can show it. */
const LEAP = 86_400;

const PACKETS = /"kind":"(?:send|recv|stream|lost)"/;
const TEXTS = {
  send: ['from', 'to', 'fate'],
  recv: ['from', 'to'],
  lost: ['from', 'to'],
  stream: ['from', 'to', 'step'],
  event: ['node', 'member', 'event', 'before', 'after', 'cause'],
  fault: ['fault'],
  violation: ['checker', 'problem'],
};
const NUMBERS = { send: ['packet'], recv: ['packet'], lost: ['packet'], stream: ['stream'], event: ['incarnation'] };

/** A file that cannot be shown; the message is one sentence for the reader. */
export class TraceError extends Error {}

/** A trace with too many records to be read whole. */
export class TooLongError extends TraceError {}

/**
 * Reads a trace to its end, or to the first line that is none.
 *
 * @param {ReadableStream<Uint8Array>} stream the bytes, gzipped or not
 * @param {object} options
 * @param {string} [options.name] of the file, for messages
 * @param {boolean} [options.eventsOnly] leaves out packets and streams
 * @param {(bytes: number, records: number) => void} [options.progress] called between slices
 * @returns {Promise<Trace>}
 */
export async function readTrace(stream, { name = 'trace', eventsOnly = false, progress } = {}) {
  const lines = new Lines(name, eventsOnly);
  const reader = (await unzipped(stream)).getReader();
  const decoder = new TextDecoder();
  let rest = '', bytes = 0, began = performance.now();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      const parts = (rest + (done ? decoder.decode() : decoder.decode(value, { stream: true }))).split('\n');
      rest = done ? '' : /** @type {string} */ (parts.pop());
      if (rest.length > LINE_MAX) throw new TraceError(`${name}, line ${lines.number + 1}: too long for a trace`);
      if (done && parts.at(-1) === '') parts.pop();
      bytes += value?.length ?? 0;
      for (const [index, line] of parts.entries()) {
        if (!lines.take(line, done && index === parts.length - 1)) return await prepared(lines.trace());
        if (performance.now() - began > SLICE) {
          progress?.(bytes, lines.records.length);
          await nextSlice();
          began = performance.now();
        }
      }
      if (done) return await prepared(lines.trace());
    }
  } catch (error) {
    if (error instanceof TraceError || error instanceof RangeError) throw error;
    if (lines.records.length) return await prepared(lines.broken());
    throw new TraceError(`${name}: it cannot be read: ${/** @type {Error} */ (error).message}`);
  } finally {
    reader.cancel().catch(() => {});
  }
}

/** A trace that is ready for scrubbing, in slices too. @param {Trace} trace */
async function prepared(trace) {
  let began = performance.now();
  for (const _ of trace.preparing()) {
    if (performance.now() - began < SLICE) continue;
    await nextSlice();
    began = performance.now();
  }
  return trace;
}

/** A trace from text, at once. @param {string} text @param {string} [name] */
export function parseTrace(text, name = 'trace') {
  const lines = new Lines(name, false);
  const parts = text.split('\n');
  if (parts.at(-1) === '') parts.pop();
  parts.every((line, index) => lines.take(line, index === parts.length - 1 && !text.endsWith('\n')));
  return lines.trace();
}

class Lines {
  /** @param {string} name @param {boolean} eventsOnly */
  constructor(name, eventsOnly) {
    this.name = name;
    this.eventsOnly = eventsOnly;
    this.number = 0;
    /** @type {Record<string, any> | null} */
    this.header = null;
    /** @type {Record<string, any>[]} */
    this.records = [];
    /** @type {number[]} */
    this.numbers = [];
    /** @type {number[]} */
    this.times = [];
    /** @type {string[]} */
    this.notices = [];
    this.hash = 0x811c9dc5;
    this.last = 0;
    this.jumps = 0;
    this.skipped = 0;
  }

  /**
   * Adds a line; false if nothing behind it is read.
   *
   * @param {string} line
   * @param {boolean} isCut the file ends without the line's end
   */
  take(line, isCut) {
    this.number += 1;
    this.hash = fnv(line, this.hash);
    if (this.header !== null && this.eventsOnly && PACKETS.test(line)) {
      this.skipped += 1;
      return true;
    }
    const record = parsed(line);
    if (this.header === null) {
      this.#checkHeader(record);
      this.header = record;
      return true;
    }
    if (record?.kind === 'world') {
      this.notices.push('The run had several worlds, one after the other; only the first is shown.');
      return false;
    }
    if (record === null || isBroken(record)) {
      this.notices.push(
        isCut
          ? `The file ends in the middle of line ${this.number}: it was cut. Only the ${this.#count()} before it can be shown.`
          : `Line ${this.number} is not a line of a trace. Only the ${this.#count()} before it can be shown.`,
      );
      return false;
    }
    this.#add(record);
    return this.#hasRoom();
  }

  /** What stands before a place from which nothing more can be read. */
  broken() {
    this.notices.push(`The file cannot be read beyond line ${this.number}: it was cut, or is damaged. Only the ${this.#count()} before can be shown.`);
    return this.trace();
  }

  trace() {
    if (this.header === null) throw new TraceError(`${this.name}: an empty file, not a trace`);
    if (this.eventsOnly && this.skipped) {
      this.notices.push(`Only transitions and faults are loaded; ${count(this.skipped, 'packet record')} left out.`);
    }
    const fingerprint = (this.hash >>> 0).toString(16).padStart(8, '0');
    return new Trace(this.name, this.header, this.records, {
      times: Float64Array.from(this.times),
      numbers: this.numbers,
      notices: this.notices,
      fingerprint,
    });
  }

  /** @param {Record<string, any>} record */
  #add(record) {
    const behind = this.last - record.at, ahead = -behind;
    if (behind > LATE || (ahead > LEAP && this.records.length)) {
      this.jumps += 1;
      if (this.jumps === 1) {
        const how = behind > 0 ? `goes back by ${behind.toFixed(3)} s` : `leaps ahead by ${ahead.toFixed(0)} s`;
        this.notices.push(
          `At line ${this.number} the clock ${how}. Records are shown in the order of the file` +
            `${behind > 0 ? '; those with earlier times stand at the latest time before them' : ''}.`,
        );
      }
    }
    this.last = Math.max(this.last, record.at);
    this.times.push(this.last);
    this.numbers.push(this.number);
    this.records.push(record);
  }

  #hasRoom() {
    if (!this.eventsOnly && this.records.length > RECORDS_MAX) {
      throw new TooLongError(`${this.name}: more than ${RECORDS_MAX.toLocaleString('en')} records`);
    }
    if (this.records.length < EVENTS_MAX) return true;
    this.notices.push(`Only the first ${EVENTS_MAX.toLocaleString('en')} records are shown.`);
    return false;
  }

  #count() {
    return count(this.records.length, 'record');
  }

  /** @param {Record<string, any> | null} record */
  #checkHeader(record) {
    if (record?.kind !== 'trace') {
      throw new TraceError(`${this.name}: not a trace: the first line is not its header`);
    }
    if (record.format !== FORMAT) {
      throw new TraceError(
        `${this.name}: trace format ${JSON.stringify(record.format)}; this version reads ${FORMAT}`,
      );
    }
  }
}

/** @param {string} line @returns {Record<string, any> | null} */
function parsed(line) {
  try {
    const record = JSON.parse(line);
    return record !== null && typeof record === 'object' && typeof record.kind === 'string' ? record : null;
  } catch {
    return null;
  }
}

/** Whether a record lacks what its kind must have. @param {Record<string, any>} record */
function isBroken(record) {
  const kind = /** @type {keyof typeof TEXTS} */ (record.kind);
  if (!Number.isFinite(record.at) || record.at < 0) return true;
  if (Object.hasOwn(TEXTS, kind) && TEXTS[kind].some((field) => typeof record[field] !== 'string')) return true;
  const numbers = Object.hasOwn(NUMBERS, kind) ? NUMBERS[/** @type {keyof typeof NUMBERS} */ (kind)] : [];
  if (numbers.some((field) => !Number.isFinite(record[field]))) return true;
  if (kind === 'fault' && 'node' in record && typeof record.node !== 'string') return true;
  const messages = record.messages ?? [];
  return !Array.isArray(messages) || messages.some((each) => typeof each?.type !== 'string');
}

/** FNV-1a over the characters of a line. @param {string} line @param {number} hash */
function fnv(line, hash) {
  for (let index = 0; index < line.length; index += 1) {
    hash = Math.imul(hash ^ line.charCodeAt(index), 0x01000193);
  }
  return hash;
}

/** @param {number} number @param {string} word */
function count(number, word) {
  return `${number.toLocaleString('en')} ${word}${number === 1 ? '' : 's'}`;
}

function nextSlice() {
  return new Promise((resolve) => setTimeout(resolve, 0));
}

/** @param {ReadableStream<Uint8Array>} stream @returns {Promise<ReadableStream<Uint8Array>>} */
async function unzipped(stream) {
  const reader = stream.getReader();
  const first = await reader.read();
  const whole = new ReadableStream({
    start(controller) {
      if (first.value) controller.enqueue(first.value);
      if (first.done) controller.close();
    },
    async pull(controller) {
      const { done, value } = await reader.read();
      if (done) controller.close();
      else controller.enqueue(value);
    },
    cancel: (reason) => reader.cancel(reason),
  });
  const isZipped = first.value?.[0] === 0x1f && first.value[1] === 0x8b;
  return isZipped ? whole.pipeThrough(/** @type {any} */ (new DecompressionStream('gzip'))) : whole;
}
