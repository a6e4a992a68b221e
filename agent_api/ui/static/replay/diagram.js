// @ts-check
/** The moments around the current time as a space-time diagram: a line for each node, packets aslant. */
import { html, nothing, svg } from '../vendor/lit-html.js';
import { packetClass } from './space.js';
import { upperBound } from './trace.js';
import { clock, lineOf } from './words.js';

/** @typedef {import('./player.js').Player} Player */
/** @typedef {import('./trace.js').Trace} Trace */

const WIDTH = 640;
const LEFT = 92;
const TOP = 14;
/** Records before and after the current one. */
const AROUND = 24;
/** Rows of many nodes are lower. */
const ROW = 44;
const ROW_OF_MANY = 14;
const MANY = 8;

/** @param {Player} player */
export function diagram(player) {
  const trace = /** @type {Trace} */ (player.trace);
  const row = trace.nodes.length > MANY ? ROW_OF_MANY : ROW;
  const height = TOP + row * trace.nodes.length + 22;
  const rows = new Map(trace.nodes.map((node, index) => [node, TOP + row * (index + 0.5)]));
  const first = Math.max(0, player.count - 1 - AROUND), last = Math.min(trace.records.length, player.count + AROUND);
  const x = axisOf(trace, first, last, player.at);
  const start = trace.times[first] ?? 0, end = trace.times[Math.max(last - 1, 0)] ?? 0;
  return html`<svg class="space diagram" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="Packets between nodes from ${clock(start)} to ${clock(end)}">
    ${trace.nodes.map((node) => lineFor(player, node, /** @type {number} */ (rows.get(node))))}
    ${within(trace, start, end).map((flight) => packet(player, flight, rows, x))}
    ${trace.transitions.slice(upperBound(trace.transitions, first - 1), upperBound(trace.transitions, last - 1)).map((index) => event(trace, index, rows, x))}
    <line class="playhead" x1=${x(player.at)} x2=${x(player.at)} y1="4" y2=${height - 18} />
    <text class="tick" x=${LEFT} y=${height - 4}>${clock(start)}</text><text class="tick" x=${WIDTH - 8} y=${height - 4} text-anchor="end">${clock(end)}</text></svg>`;
}

/**
 * Where a time stands: each record as far from the next as any other, so that no packet is a point.
 *
 * @param {Trace} trace @param {number} first @param {number} last @param {number} now
 */
function axisOf(trace, first, last, now) {
  const knots = [...new Set([...trace.times.slice(first, last), now])].sort((a, b) => a - b);
  return (/** @type {number} */ at) => {
    const index = Math.min(Math.max(upperBound(knots, at), 1), Math.max(knots.length - 1, 1));
    const [a, b] = [knots[index - 1] ?? 0, knots[index] ?? 1];
    const share = b > a ? Math.min(1, Math.max(0, (at - a) / (b - a))) : 0;
    return LEFT + ((WIDTH - LEFT - 12) * (index - 1 + share)) / Math.max(knots.length - 1, 1);
  };
}

/** @param {Trace} trace @param {number} start @param {number} end */
function within(trace, start, end) {
  return trace.flights.filter((flight) => flight.sent <= end && flight.arrives >= start);
}

/** @param {Player} player @param {string} node @param {number} y */
function lineFor(player, node, y) {
  const trace = /** @type {Trace} */ (player.trace);
  const process = trace.state(player.count).get(node)?.process ?? 'unknown';
  return svg`<line class="life" data-process=${process} x1=${LEFT} x2=${WIDTH - 12} y1=${y} y2=${y} />
    <text class="who" x=${LEFT - 10} y=${y + 4} text-anchor="end">${node.length > 11 ? `${node.slice(0, 10)}…` : node}</text>`;
}

/** @param {Player} player @param {import('./trace.js').Flight} flight @param {Map<string, number>} rows @param {(at: number) => number} x */
function packet(player, flight, rows, x) {
  const from = rows.get(flight.source), to = rows.get(flight.target);
  if (from === undefined || to === undefined) return nothing;
  const trace = /** @type {Trace} */ (player.trace);
  const share = flight.fate === 'arrived' ? 1 : flight.fate === 'unheard' ? 0.86 : 0.5;
  const [x1, x2] = [x(flight.sent), x(flight.sent) + share * (Math.max(x(flight.arrives), x(flight.sent) + 4) - x(flight.sent))];
  const y2 = from + share * (to - from);
  const isCurrent = flight.index === player.count - 1 || flight.end === player.count - 1;
  const go = () => {
    player.pause();
    player.seekRecord(flight.index);
  };
  return svg`<g class="flight ${isCurrent ? 'current' : ''}" data-packet=${packetClass(flight.kind)} data-fate=${share === 1 ? 'arrived' : 'lost'} @click=${go}>
    <title>${lineOf(trace.records[flight.index])}</title><line class="path" x1=${x1} y1=${from} x2=${x2} y2=${y2} />
    ${share === 1 ? svg`<circle cx=${x2} cy=${y2} r="2.6" />` : svg`<path class="cross" d="M${x2 - 4} ${y2 - 4}l8 8m0 -8l-8 8" />`}</g>`;
}

/** @param {Trace} trace @param {number} index @param {Map<string, number>} rows @param {(at: number) => number} x */
function event(trace, index, rows, x) {
  const record = trace.records[index];
  return svg`<circle class="transition" data-state=${record.after} cx=${x(trace.times[index])} cy=${rows.get(record.node)} r="5"><title>${lineOf(record)}</title></circle>`;
}
