// @ts-check
/** Records of a trace as text: the same words as `sims/traces/text.py`, which a test compares. */

/** @typedef {Record<string, any>} Fields One record or one message, as its line holds it. */

const STEPS = { accept: 'accepts the stream of', data: 'answers', end: 'ends the stream with' };

/** How the run of a trace was made, in one line: scenario, options, seed. @param {Fields} header */
export function runTitle(header) {
  const made = object(header.made);
  const chosen = { ...object(made.options), ...object(made.settings) };
  const options = Object.entries(chosen)
    .filter(([, value]) => String(value).length <= 20)
    .map(([name, value]) => `${name}=${value}`);
  return [made.name || made.by || 'run', ...options, `seed ${header.seed ?? '?'}`].join(', ');
}

/** The record without its time. @param {Fields} record @returns {string} */
export function lineOf(record) {
  return (LINES.get(record.kind) ?? other)(record);
}

/** All messages of a packet or stream. @param {Fields} record */
export function messagesWords(record) {
  return list(record.messages).map(messageWords).join(', ');
}

/** One message. @param {Fields} message @returns {string} */
export function messageWords(message) {
  return (MESSAGES.get(message.type) ?? plainMessage)(message);
}

/** Why a transition happened. @param {Fields} record */
export function reasonWords(record) {
  const by = 'accuser' in record ? ` by ${record.accuser}` : '';
  const detail = 'detail' in record ? `: ${record.detail}` : '';
  return `${record.cause}${by}${detail}`;
}

/** Seconds as the page shows them. @param {number} at @param {number} [digits] */
export function clock(at, digits = 3) {
  return `${at.toFixed(digits)} s`;
}

/** @param {any} value @returns {any[]} */
export function list(value) {
  return Array.isArray(value) ? value : [];
}

/** @param {any} value @returns {Fields} */
function object(value) {
  return value !== null && typeof value === 'object' && !Array.isArray(value) ? value : {};
}

/** @param {Fields} message */
function claim(message) {
  const { type, node = '', accuser = '', incarnation } = message;
  if (type === 'dead' && accuser === node) return `left ${node}@${incarnation}`;
  const words = `${type} ${node}@${incarnation}`;
  return accuser ? `${words} by ${accuser}` : words;
}

/** @param {Fields} message */
function pushPull(message) {
  const states = list(message.records).map((each) => `${each.name ?? ''}@${each.incarnation} ${each.state}`);
  return `${message.join ? 'join' : 'push-pull'} (${states.join(', ')})`;
}

/** @param {Fields} message */
function plainMessage(message) {
  const about = message.name || message.node || message.why || message.error || '';
  return `${message.type} ${about}`.trimEnd();
}

/** @type {Map<string, (message: Fields) => string>} */
const MESSAGES = new Map([
  ['ack', () => 'ack'],
  ['alive', claim],
  ['dead', claim],
  ['indirect-ping', (message) => `indirect-ping of ${message.node ?? ''}`],
  ['ping', () => 'ping'],
  ['push-pull', pushPull],
  ['relayed', (message) => `relayed ${messageWords(object(message.inner))}`],
  ['suspect', claim],
]);

/** @param {Fields} record */
function sendLine(record) {
  const fate = record.fate === 'sent' ? '' : `  [${record.fate}]`;
  return `${record.from} -> ${record.to || record.endpoint || '?'}: ${messagesWords(record)}${fate}`;
}

/** @param {Fields} record */
function receiveLine(record) {
  const drops = list(record.dropped);
  const dropped = drops.length ? `, drops: ${drops.join(', ')}` : '';
  return `${record.to} receives packet ${record.packet} of ${record.from}${dropped}`;
}

/** @param {Fields} record */
function streamLine(record) {
  const { step, from, to, end = '' } = record;
  const words = messagesWords(record);
  if (step === 'dial') return `${from} => ${to || '?'}: ${words}`;
  if (step === 'data' && words) return `${from} => ${to}: ${words}`;
  return `${from} ${STEPS[/** @type {keyof typeof STEPS} */ (step)] ?? step} ${to}${end ? `: ${end}` : ''}`;
}

/** @param {Fields} record */
function eventLine(record) {
  const same = record.before === record.after;
  const change = same ? record.event : `${record.before} -> ${record.after}`;
  return `${record.node}: ${record.member}@${record.incarnation} ${change} (${reasonWords(record)})`;
}

/** @param {Fields} record */
function faultLine(record) {
  if (record.fault === 'cut' && Array.isArray(record.sources) && Array.isArray(record.targets)) {
    return `* cut ${record.sources.join(' ')} ${record.one_way ? '→' : '|'} ${record.targets.join(' ')}`;
  }
  const rest = Object.entries(record)
    .filter(([name, value]) => !['at', 'kind', 'fault', 'node'].includes(name) && !isEmpty(value))
    .map(([name, value]) => `${name}=${typeof value === 'object' ? JSON.stringify(value) : value}`);
  return ['*', record.fault, record.node, ...rest].filter(Boolean).join(' ');
}

/** @param {any} value */
function isEmpty(value) {
  return value === null || value === '' || value === false || (Array.isArray(value) && !value.length);
}

/** @param {Fields} record */
function lostLine(record) {
  return `packet ${record.packet} of ${record.from} is lost on its way to ${record.to}`;
}

/** @param {Fields} record */
function violationLine(record) {
  return `${record.checker}: ${record.problem}`;
}

/** @param {Fields} record */
function other(record) {
  return Object.entries(record)
    .filter(([name]) => name !== 'at')
    .map(([name, value]) => `${name}=${typeof value === 'object' ? JSON.stringify(value) : value}`)
    .join(' ');
}

/** @type {Map<string, (record: Fields) => string>} */
const LINES = new Map([
  ['event', eventLine],
  ['fault', faultLine],
  ['lost', lostLine],
  ['recv', receiveLine],
  ['send', sendLine],
  ['stream', streamLine],
  ['violation', violationLine],
]);
