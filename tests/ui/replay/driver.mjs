/** What the tests of the player ask of its modules. */
import { openAsBlob } from 'node:fs';
import { informedCurve, missedByGossip, transmitLimit } from '../../../agent_api/ui/static/explain/formula.js';
import { firstDifference } from '../../../agent_api/ui/static/replay/difference.js';
import { Pace } from '../../../agent_api/ui/static/replay/pace.js';
import { parseTrace, readTrace } from '../../../agent_api/ui/static/replay/reading.js';
import { lineOf } from '../../../agent_api/ui/static/replay/words.js';
import { behindPacket, why as walk } from '../../../agent_api/ui/static/replay/why.js';

/** The views of all nodes after each number of records. */
export function views(text, counts) {
  const trace = parseTrace(text);
  return counts.map((count) => {
    const nodes = [...trace.state(count)].map(([name, { process, table }]) => [name, { process, table: statuses(table) }]);
    return Object.fromEntries(nodes);
  });
}

const statuses = (table) =>
  Object.fromEntries([...table].map(([member, { status, incarnation }]) => [member, [status, incarnation]]));

/** Reads a file in slices. */
export async function read(path, options = {}) {
  const stream = (await openAsBlob(path)).stream();
  const trace = await readTrace(stream, { name: 'run.jsonl', ...options });
  const { records, notices, end, fingerprint } = trace;
  return { records: records.length, notices, end, fingerprint, times: [...trace.times].slice(0, 50) };
}

/** Why a file cannot be shown. */
export async function refusal(path, options) {
  return read(path, options).then(() => '', (error) => error.message);
}

export function lines(text) {
  return parseTrace(text).records.map(lineOf);
}

export function flights(text) {
  return parseTrace(text).flights.map(({ kind, news, source, target, sent, arrives, fate }) => [
    kind, news, source, target, sent, arrives, fate,
  ]);
}

/** The chain behind every transition to a status. */
export function why(text, statuses) {
  const trace = parseTrace(text);
  return trace.transitions
    .filter((index) => statuses.includes(trace.records[index].after))
    .map((index) => walk(trace, index).map(({ kind, index: at, text: words, parts }) => ({ kind, at, text: words, parts })));
}

/** Bytes that this program uses. */
export function memory() {
  return process.memoryUsage().rss;
}

/** Where two traces differ. */
export function difference(left, right) {
  return firstDifference(parseTrace(left), parseTrace(right));
}

/** The places of times on the axis, the times of those places, and the axis's length. */
export function pace(text, times, isWarped) {
  const trace = parseTrace(text);
  const axis = isWarped ? Pace.warped(trace) : Pace.linear(trace);
  const walls = times.map((at) => axis.wallAt(at));
  return [walls, walls.map((wall) => axis.timeAt(wall)), axis.total];
}

/** The page's formulas. */
export function curve(settings, nodes, loss, failed) {
  return [informedCurve(settings, nodes, loss, failed), transmitLimit(settings, nodes), missedByGossip(settings, nodes)];
}

/** The transitions behind the claims of every packet: [record of the packet, record of the transition]. */
export function behind(text) {
  const trace = parseTrace(text);
  return trace.records.flatMap((record, index) =>
    record.kind === 'send' ? behindPacket(trace, index).map((step) => [index, step.index]) : [],
  );
}
