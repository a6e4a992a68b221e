// @ts-check
/** Walks back from a transition to the fault behind it: claim, sender, probe round, lost packets, fault. */

import { lineOf, list, messagesWords } from './words.js';

/** @typedef {import('./trace.js').Trace} Trace */
/** @typedef {import('./words.js').Fields} Fields */

/**
 * @typedef {object} Step One link of the chain.
 * @property {'transition' | 'packet' | 'probe' | 'fault'} kind
 * @property {number} index the record that it leads to
 * @property {string} text
 * @property {string} member whom it is about
 * @property {string} after the status that it claims, or ''
 * @property {{index: number, text: string}[]} parts the packets of a probe round
 */

/** Longest chain that is followed. */
const STEPS_MAX = 40;
/** Seconds before an accusation in which its probe round is looked for. */
const ROUND = 60;
/** Packets of a probe round that are listed. */
const PARTS_MAX = 24;
/** Records after a packet within which its arrival is looked for. */
const NEAR = 5_000;
/** What each status is called in a claim on the wire. */
const CLAIMS = new Map([
  ['alive', ['alive', 'join-intent']],
  ['failed', ['dead']],
  ['leaving', ['leave-intent']],
  ['left', ['dead', 'leave-intent']],
  ['suspect', ['suspect']],
]);
/** What a member that refutes was called, as a status. */
const REFUTED = new Map([['called dead', 'failed'], ['called suspect', 'suspect']]);
/** Faults after which a node or a network is as before. */
const ENDED = new Set(['add', 'calm', 'heal', 'restart', 'resume', 'rule-ended']);

/**
 * The chain of causes of a transition, the transition first.
 *
 * @param {Trace} trace
 * @param {number} index of the record of a transition
 * @returns {Step[]}
 */
export function why(trace, index) {
  /** @type {Step[]} */
  const steps = [];
  const seen = new Set();
  for (let step = transition(trace, index); step && steps.length < STEPS_MAX; step = before(trace, step)) {
    if (seen.has(step.index)) break;
    seen.add(step.index);
    steps.push(step);
  }
  return steps;
}

/**
 * Why a packet was sent with each claim in it: the sender's own transitions behind them.
 *
 * @param {Trace} trace @param {number} index of the record that sent it
 * @returns {Step[]}
 */
export function behindPacket(trace, index) {
  const { from, messages } = trace.records[index];
  /** @type {Map<number, Step>} */
  const found = new Map();
  for (const { type, node } of list(messages)) {
    const after = [...CLAIMS].find(([, types]) => types[0] === type)?.[0];
    const step = after && node ? sendersOwn(trace, { kind: 'packet', index, text: '', member: node, after, parts: [] }, from) : null;
    if (step) found.set(step.index, step);
  }
  return [...found.values()];
}

/** The last transition among the first records. @param {Trace} trace @param {number} count */
export function transitionBefore(trace, count) {
  return trace.transitions.findLast((index) => index < count) ?? null;
}

/**
 * @param {Trace} trace
 * @param {number} index
 * @returns {Step | null}
 */
function transition(trace, index) {
  const record = trace.records[index];
  return { kind: 'transition', index, text: lineOf(record), member: record.member, after: record.after, parts: [] };
}

/**
 * What a step follows from.
 *
 * @param {Trace} trace
 * @param {Step} step
 * @returns {Step | null}
 */
function before(trace, step) {
  const record = trace.records[step.index];
  if (step.kind === 'fault') return null;
  if (step.kind === 'packet') return sendersOwn(trace, step, record.from);
  if (step.kind === 'probe') return silence(trace, step.index, step.member, record.from);
  switch (record.cause) {
    case 'probe':
      return probeRound(trace, step.index) ?? silence(trace, step.index, record.member, record.node);
    case 'refused':
    case 'suspicion-expired':
      return earlier(trace, step.index, record.node, record.member, 'suspect');
    case 'acked':
      return recovery(trace, step.index, record.member, record.node);
    case 'local':
    case 'operator':
      return lastFault(trace, step.index, (fault) => fault.node === record.node);
    default:
      return claimPacket(trace, step.index) ?? accusersOwn(trace, step.index);
  }
}

/**
 * A node's last transition of a member to a status, before a record.
 *
 * @param {Trace} trace @param {number} index @param {string} node @param {string} member @param {string} status
 */
function earlier(trace, index, node, member, status) {
  for (let each = index - 1; each >= 0; each -= 1) {
    const record = trace.records[each];
    const isIts = record.kind === 'event' && record.node === node && record.member === member && record.event !== 'accused';
    if (isIts && record.after === status) return transition(trace, each);
  }
  return null;
}

// -- claims

/**
 * The packet or stream with which a claim arrived.
 *
 * @param {Trace} trace
 * @param {number} index
 * @returns {Step | null}
 */
function claimPacket(trace, index) {
  const { records, times } = trace;
  const { node, member } = records[index];
  const { after, incarnation } = claimed(records[index]);
  for (let each = index - 1; each >= 0 && times[each] === times[index]; each -= 1) {
    const arrival = records[each];
    if (arrival.to !== node || (arrival.kind !== 'recv' && arrival.kind !== 'stream')) continue;
    const carrier = carrierOf(trace, each);
    if (carrier === null || !claims(records[carrier], member, after, incarnation)) continue;
    const what = arrival.kind === 'recv' ? `packet #${arrival.packet}` : `stream #${arrival.stream}`;
    const text = `${what} from ${arrival.from}: ${messagesWords(records[carrier])}`;
    return { kind: 'packet', index: carrier, text, member, after, parts: [] };
  }
  return null;
}

/**
 * The status and incarnation that a member was claimed to have: one that refutes was called something else.
 *
 * @param {any} event
 */
function claimed({ event, after, incarnation, detail = '' }) {
  const called = event === 'refuted' ? REFUTED.get(detail) : undefined;
  return called === undefined ? { after, incarnation } : { after: called, incarnation: 0 };
}

/**
 * Why the sender of a claim made it: its own last transition.
 *
 * @param {Trace} trace
 * @param {Step} step
 * @param {string} from
 */
function sendersOwn(trace, { index, member, after }, from) {
  const count = Math.max(index, trace.countAt(trace.times[index]));
  return earlier(trace, count, from, member, after);
}

/** The record with the messages that arrive with another. @param {Trace} trace @param {number} index */
function carrierOf(trace, index) {
  const arrival = trace.records[index];
  if (list(arrival.messages).length) return index;
  for (let each = index - 1; each >= 0; each -= 1) {
    const record = trace.records[each];
    const isSend = record.kind === 'send' && arrival.kind === 'recv' && record.packet === arrival.packet;
    const isDial = record.step === 'dial' && arrival.kind === 'stream' && record.stream === arrival.stream;
    if (isSend || isDial) return each;
  }
  return null;
}

/**
 * Whether a packet says that a member is in a status.
 *
 * @param {Fields} carrier @param {string} member @param {string} after @param {number} incarnation
 */
function claims(carrier, member, after, incarnation) {
  const types = CLAIMS.get(after) ?? [];
  return list(carrier.messages).some((message) => {
    if (message.type === 'push-pull') return list(message.records).some((each) => each?.name === member);
    const isAbout = message.node === member || message.name === member;
    return isAbout && types.includes(message.type) && (message.incarnation ?? incarnation) >= incarnation;
  });
}

/** In a trace without packets: the accuser's own transition. @param {Trace} trace @param {number} index */
function accusersOwn(trace, index) {
  const { accuser, node, member } = trace.records[index];
  const { after } = claimed(trace.records[index]);
  return accuser && accuser !== node ? earlier(trace, index, accuser, member, after) : null;
}

// -- probes

/**
 * The packets of the probe round that ended in an accusation.
 *
 * @param {Trace} trace
 * @param {number} index
 * @returns {Step | null}
 */
function probeRound(trace, index) {
  const { records, times } = trace;
  const { node, member, detail = '' } = records[index];
  let start = index - 1;
  while (!(records[start]?.from === node && pings(records[start], member) && records[start].to === member)) {
    start -= 1;
    if (start < 0 || times[start] < times[index] - ROUND) return null;
  }
  const relays = new Set();
  const parts = [];
  for (let each = start; each < index; each += 1) {
    const text = roundPart(trace, each, node, member, relays);
    if (text && parts.length < PARTS_MAX) parts.push({ index: each, text });
  }
  const text = `probe of ${member} by ${node}${detail ? `: ${detail}` : ''}`;
  return { kind: 'probe', index: start, text, member, after: '', parts };
}

/**
 * What a record adds to a probe round, or ''.
 *
 * @param {Trace} trace @param {number} index @param {string} node @param {string} member @param {Set<string>} relays
 */
function roundPart(trace, index, node, member, relays) {
  const record = trace.records[index];
  const { from, to, packet, stream } = record;
  if (record.kind === 'stream' && record.step === 'end' && from === node && to === member) {
    return `stream #${stream} to ${member}: ${record.end ?? 'closed'}`;
  }
  if (record.kind !== 'send') return '';
  if (from === node && list(record.messages).some((each) => each.type === 'indirect-ping' && each.node === member)) {
    relays.add(to);
    return `#${packet} asks ${to} to ping ${member}${arrived(trace, index)}`;
  }
  if (to === member && pings(record, member) && (from === node || relays.has(from))) {
    return `#${packet} ping ${from} → ${member}${arrived(trace, index)}`;
  }
  const isNack = to === node && relays.has(from) && record.messages.some((/** @type {Fields} */ each) => each.type === 'nack');
  return isNack ? `#${packet} nack of ${from}${arrived(trace, index)}` : '';
}

/** @param {Fields} record @param {string} member */
function pings(record, member) {
  return record.kind === 'send' && list(record.messages).some((each) => each.type === 'ping' && (each.node ?? member) === member);
}

/** The fate of a sent packet: nothing if it arrived. @param {Trace} trace @param {number} index */
function arrived(trace, index) {
  const { packet, fate } = trace.records[index];
  if (fate !== 'sent') return `: ${fate}`;
  const later = trace.records.slice(index, index + NEAR);
  return later.some((each) => each.kind === 'recv' && each.packet === packet) ? '' : ': not read';
}

// -- faults

/** The fault that explains silence between two nodes. @param {Trace} trace @param {number} index @param {string} member @param {string} node */
function silence(trace, index, member, node) {
  const own = lastFault(trace, index, (fault) => fault.node === member);
  const wide = lastFault(trace, index, (fault) => fault.node === undefined);
  const observers = lastFault(trace, index, (fault) => fault.node === node);
  const isOn = (/** @type {Step | null} */ step) => step !== null && !ENDED.has(trace.records[step.index].fault);
  const found = [own, wide].filter(isOn).sort((a, b) => (b?.index ?? 0) - (a?.index ?? 0));
  return found[0] ?? (isOn(observers) ? observers : null);
}

/** The end of a fault that explains an answer. @param {Trace} trace @param {number} index @param {string} member @param {string} node */
function recovery(trace, index, member, node) {
  return lastFault(
    trace,
    index,
    (fault) => ENDED.has(fault.fault) && fault.fault !== 'add' && [member, node, undefined].includes(fault.node),
  );
}

/**
 * @param {Trace} trace
 * @param {number} index
 * @param {(fault: Fields) => boolean} wanted
 * @returns {Step | null}
 */
function lastFault(trace, index, wanted) {
  const { records } = trace;
  for (let each = index - 1; each >= 0; each -= 1) {
    if (records[each].kind === 'fault' && wanted(records[each])) {
      const text = `${lineOf(records[each]).replace(/^\* /, '')} (fault)`;
      return { kind: 'fault', index: each, text, member: records[each].node ?? '', after: '', parts: [] };
    }
  }
  return null;
}
