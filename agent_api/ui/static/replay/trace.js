// @ts-check
/** A trace in memory: its records, the state of every node's table after each of them, and its packets. */

import { reasonWords } from './words.js';

/** @typedef {import('./words.js').Fields} Fields */

/** Records between two keyframes: the state at any record is the keyframe before it and at most this many more. */
export const KEYFRAME = 1_000;

/**
 * @typedef {object} Entry One member in one node's table.
 * @property {string} status
 * @property {number} incarnation
 * @property {number} since seconds
 * @property {number} index of the record of its last transition
 * @property {number} changed index of the record of its last event, transition or not
 */

/**
 * @typedef {object} NodeState One node: its process, and its table by member.
 * @property {string} process running, paused, crashed, leaving, left or stopped
 * @property {number} since seconds
 * @property {Map<string, Entry>} table
 */

/**
 * @typedef {object} Flight One packet, or one direction of a stream, from one host to another.
 * @property {string} kind type of its first message, or `stream`
 * @property {string} news the most severe claim in it, or ''
 * @property {string} source
 * @property {string} target
 * @property {number} sent seconds
 * @property {number} arrives seconds; of a lost one, when it would have arrived
 * @property {string} fate arrived, what the network did to it, or unheard: no process was there to read it
 * @property {number} index of the record that sent it
 * @property {number} end index of the record with which it arrived, or that of `index`
 */

const PROCESSES = new Map([
  ['add', 'running'], ['crash', 'crashed'], ['kill', 'crashed'], ['leave', 'leaving'], ['pause', 'paused'],
  ['restart', 'running'], ['resume', 'running'], ['ended', 'left'], ['stopped', 'stopped'],
]);
/** States of a process that has no table any more, or a new one. */
const EMPTY = new Set(['add', 'crash', 'ended', 'kill', 'restart', 'stopped']);
const GONE = new Set(['crashed', 'left', 'stopped']);
const NEWS = ['dead', 'suspect', 'alive'];
const USUAL = 0.001;

export class Trace {
  /** @type {Map<string, NodeState>[]} */
  #keyframes = [new Map()];
  /** @type {Flight[] | null} */
  #flights = null;
  /** The state that was asked for last: the next one is mostly the same, or a little later. */
  #last = { count: 0, state: /** @type {Map<string, NodeState>} */ (new Map()) };

  /**
   * @param {string} name
   * @param {Fields} header
   * @param {Fields[]} records
   * @param {{times: Float64Array, numbers: number[], notices: string[], fingerprint: string}} read
   */
  constructor(name, header, records, { times, numbers, notices, fingerprint }) {
    this.name = name;
    this.header = header;
    this.records = records;
    /** Seconds of each record; they never decrease. */
    this.times = times;
    /** The line of the file that each record stands in. */
    this.numbers = numbers;
    /** Sentences about what is wrong with the file, or left out. */
    this.notices = notices;
    this.fingerprint = fingerprint;
    this.end = times.at(-1) ?? 0;
    /** @type {string[]} */
    this.nodes = [];
    /** @type {string[]} */
    this.members = [];
    this.transitions = this.#indices((each) => each.kind === 'event' && each.before !== each.after);
    this.faults = this.#indices((each) => each.kind === 'fault' && each.fault !== 'add');
    this.violations = this.#indices((each) => each.kind === 'violation');
    this.#name();
  }

  /**
   * Computes what scrubbing needs, in small steps: a keyframe for each of so many records, then the packets. What has not
   * been computed is computed once it is asked for.
   *
   * @returns {Generator<undefined, void>}
   */
  *preparing() {
    for (let from = 0; from + KEYFRAME <= this.records.length; from += KEYFRAME) {
      this.#keyframe(from / KEYFRAME + 1);
      yield;
    }
    this.#flights ??= yield* flightsOf(this.records, this.times);
  }

  /** How many records have happened at a time. @param {number} at seconds */
  countAt(at) {
    return upperBound(this.times, at);
  }

  /** Every node after the first records. @param {number} count how many, from 0 @returns {Map<string, NodeState>} */
  state(count) {
    const frame = Math.floor(count / KEYFRAME);
    const isAfter = this.#last.count <= count && this.#last.count >= frame * KEYFRAME;
    const from = isAfter ? this.#last : { count: frame * KEYFRAME, state: this.#keyframe(frame) };
    this.#last = { count, state: from.count === count ? from.state : this.#fold(from.state, from.count, count) };
    return this.#last.state;
  }

  /** All packets and streams in the order in which they were sent; copies count each. */
  get flights() {
    if (this.#flights === null) for (const _ of this.preparing());
    return /** @type {Flight[]} */ (/** @type {unknown} */ (this.#flights));
  }

  /** The state after so many times `KEYFRAME` records. @param {number} number @returns {Map<string, NodeState>} */
  #keyframe(number) {
    const frames = this.#keyframes;
    while (frames.length <= number) {
      const from = (frames.length - 1) * KEYFRAME;
      frames.push(this.#fold(frames[frames.length - 1], from, from + KEYFRAME));
    }
    return frames[number];
  }

  /** @param {(record: Fields) => boolean} wanted @returns {number[]} */
  #indices(wanted) {
    return this.records.flatMap((record, index) => (wanted(record) ? [index] : []));
  }

  #name() {
    const nodes = new Set(), members = new Set();
    for (const record of this.records) {
      if ((record.kind === 'event' || record.kind === 'fault') && record.node !== undefined) nodes.add(record.node);
      if (record.kind === 'event') members.add(record.member);
    }
    this.nodes = [...nodes];
    this.members = [...members];
  }

  /**
   * A state with more records applied; what they do not change is shared with the state before.
   *
   * @param {Map<string, NodeState>} before
   * @param {number} from
   * @param {number} to
   */
  #fold(before, from, to) {
    const after = new Map(before);
    /** @type {Map<string, NodeState>} */
    const own = new Map();
    const nodeOf = (/** @type {string} */ name) => {
      let node = own.get(name);
      if (node === undefined) {
        const kept = after.get(name);
        node = { process: kept?.process ?? 'running', since: kept?.since ?? 0, table: new Map(kept?.table) };
        own.set(name, node);
        after.set(name, node);
      }
      return node;
    };
    for (let index = from; index < to; index += 1) {
      const record = this.records[index];
      if (record.kind === 'event') applyEvent(nodeOf(record.node), record, index, this.times[index]);
      else if (record.kind === 'fault' && record.node !== undefined) {
        applyFault(nodeOf(record.node), record, this.times[index]);
      }
    }
    return after;
  }
}

/** @param {NodeState} node @param {Fields} record @param {number} index @param {number} at */
function applyEvent(node, record, index, at) {
  const { member, after, incarnation } = record;
  if (after === 'reaped' || after === 'unknown') node.table.delete(member);
  else {
    const known = node.table.get(member);
    const same = known?.status === after ? known : undefined;
    node.table.set(member, {
      status: after,
      incarnation,
      since: same?.since ?? at,
      index: same?.index ?? index,
      changed: index,
    });
  }
  if (member === record.node) turn(node, ['leaving', 'left'].includes(after) ? after : 'running', at);
}

/** @param {NodeState} node @param {Fields} record @param {number} at */
function applyFault(node, record, at) {
  const process = PROCESSES.get(record.fault);
  if (process === undefined) return;
  turn(node, process, at);
  if (EMPTY.has(record.fault)) node.table = new Map();
}

/** @param {NodeState} node @param {string} process @param {number} at */
function turn(node, process, at) {
  if (node.process !== process) [node.process, node.since] = [process, at];
}

/** Whether a node has a process, running or paused. @param {NodeState | undefined} node */
export function isUp(node) {
  return node !== undefined && !GONE.has(node.process);
}

/** A member as a node lists it, with the reason. @param {Trace} trace @param {Entry} entry */
export function entryWords(trace, entry) {
  return reasonWords(trace.records[entry.changed]);
}

// -- packets

/** Records between two steps of the search for packets. */
const STEP = 500;

/** @typedef {{record: Fields, index: number, arrivals: number[], isLost: boolean}} Packet */

/** @param {Fields[]} records @param {Float64Array} times @returns {Generator<undefined, Flight[]>} */
function* flightsOf(records, times) {
  /** @type {Map<number, Packet>} */
  const sent = new Map();
  /** @type {Flight[]} */
  const found = [];
  /** @type {Map<number, {dial: number, answered: number | null}>} */
  const streams = new Map();
  const took = [];
  for (const [index, record] of records.entries()) {
    if (index % STEP === 0) yield;
    if (record.kind === 'send') sent.set(record.packet, { record, index, arrivals: [], isLost: false });
    else if (record.kind === 'recv') {
      const packet = sent.get(record.packet);
      packet?.arrivals.push(index);
      if (packet) took.push(times[index] - times[packet.index]);
    } else if (record.kind === 'lost') {
      const packet = sent.get(record.packet);
      if (packet) packet.isLost = true;
    } else if (record.kind === 'stream') streamStep(records, times, streams, index, found);
  }
  const usual = took.sort((a, b) => a - b)[took.length >> 1] ?? USUAL;
  let done = 0;
  for (const packet of sent.values()) {
    if (done++ % STEP === 0) yield;
    found.push(...packetFlights(packet, times, usual));
  }
  return found.sort((a, b) => a.sent - b.sent || a.index - b.index);
}

/**
 * @param {Packet} packet
 * @param {Float64Array} times
 * @param {number} usual seconds that a lost packet would have taken
 * @returns {Flight[]}
 */
function packetFlights({ record, index, arrivals, isLost }, times, usual) {
  const types = record.messages?.map((/** @type {Fields} */ message) => message.type) ?? [];
  const fate = isLost ? 'lost' : record.fate;
  const flight = {
    kind: types[0] ?? 'unreadable',
    news: NEWS.find((kind) => types.includes(kind)) ?? '',
    source: record.from,
    target: record.to,
    sent: times[index],
    arrives: times[index] + usual,
    fate: ['sent', 'corrupted'].includes(fate) ? 'unheard' : fate,
    index,
    end: index,
  };
  if (!arrivals.length) return [flight];
  return arrivals.map((end) => ({ ...flight, arrives: times[end], fate: 'arrived', end }));
}

/**
 * The request travels from dial to arrival, the answer from then on; a failed one is lost in between.
 *
 * @param {Fields[]} records
 * @param {Float64Array} times
 * @param {Map<number, {dial: number, answered: number | null}>} streams
 * @param {number} index
 * @param {Flight[]} found
 */
function streamStep(records, times, streams, index, found) {
  const record = records[index], at = times[index];
  const stream = streams.get(record.stream);
  if (record.step === 'dial') {
    streams.set(record.stream, { dial: index, answered: null });
    return;
  }
  if (stream === undefined) return;
  const dial = records[stream.dial];
  const request = {
    kind: 'stream', news: '', source: dial.from, target: dial.to, sent: times[stream.dial], arrives: at,
    fate: 'arrived', index: stream.dial, end: index,
  };
  if (record.step === 'data' && record.to === dial.to) {
    found.push(request);
    stream.answered = index;
  } else if (record.step === 'data') {
    const sent = times[stream.answered ?? index];
    found.push({ ...request, source: record.from, target: record.to, sent, index });
  } else if (record.step === 'end' && stream.answered === null) {
    found.push({ ...request, fate: record.end ?? 'closed' });
    streams.delete(record.stream);
  }
}

/** How many values are at most `wanted`. @param {ArrayLike<number>} values @param {number} wanted */
export function upperBound(values, wanted) {
  let low = 0, high = values.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (values[middle] <= wanted) low = middle + 1;
    else high = middle;
  }
  return low;
}
