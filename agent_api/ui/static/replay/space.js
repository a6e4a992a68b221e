// @ts-check
/** The nodes on a ring with the packets between them: as SVG, or on a canvas if there are many. */
import { html, nothing, svg } from '../vendor/lit-html.js';
import { isUp, upperBound } from './trace.js';
import { lineOf } from './words.js';

/** @typedef {import('./player.js').Player} Player */
/** @typedef {import('./trace.js').Trace} Trace */

const RADIUS = 100;
/** Nodes up to which each is an element of its own. */
const ELEMENTS_MAX = 60;
const LABELS_MAX = 40;
/** Nodes up to which the state of a stopped process stands beside the name; of more, the circle is dashed. */
const PROCESSES_MAX = 12;
/** Packets drawn at once. */
const FLIGHTS_MAX = 300;
/** Packets before the current one among which those under way are looked for. */
const BACK = 2_000;
const GLYPHS = { alive: '●', suspect: '◐', leaving: '◌', left: '○', failed: '✕', paused: '‖', unknown: '·' };
/** What the colours of packets mean, in the order of the legend. */
export const PACKETS = ['ping', 'ack', 'indirect-ping', 'nack', 'suspect', 'dead', 'alive', 'stream', 'other'];

/** The colour class of a packet. @param {string} kind */
export function packetClass(kind) {
  return PACKETS.includes(kind) ? kind : 'other';
}

/** @param {Player} player */
export function space(player) {
  const trace = /** @type {Trace} */ (player.trace);
  const places = placesOf(trace.nodes);
  const state = trace.state(player.count);
  const view = state.get(player.observer);
  const flights = underWay(trace, player);
  const words = `${trace.nodes.length} nodes on a ring as ${player.observer} lists them; ${flights.length} packets under way`;
  if (trace.nodes.length > ELEMENTS_MAX) return canvasOf(trace, places, view, state, flights, words);
  return html`<svg class="space" viewBox="-160 -132 320 262" role="group" aria-label=${words}>
    <circle class="ring" r=${RADIUS} />
    ${accusations(trace, state, places)}
    ${flights.map((flight) => flightOf(flight, places, player))}
    ${trace.nodes.map((node) => nodeOf(node, places, player, state, view))}
  </svg>`;
}

/** Where each node stands. @param {string[]} nodes @returns {Map<string, {x: number, y: number}>} */
function placesOf(nodes) {
  return new Map(
    nodes.map((node, index) => {
      const angle = (2 * Math.PI * index) / nodes.length - Math.PI / 2;
      return [node, { x: RADIUS * Math.cos(angle), y: RADIUS * Math.sin(angle) }];
    }),
  );
}

/** The packets that are in the air now, and the one that the current record is about. @param {Trace} trace @param {Player} player */
function underWay(trace, player) {
  const all = trace.flights;
  const last = upperBound(sentTimes(trace), player.at);
  const found = [];
  const current = player.isPlaying && !player.isStill ? -1 : player.count - 1;
  for (let index = last - 1; index >= Math.max(0, last - BACK) && found.length < FLIGHTS_MAX; index -= 1) {
    const flight = all[index];
    const isNow = flight.sent <= player.at && player.at <= flight.arrives && !player.isStill;
    if (isNow || flight.index === current || flight.end === current) found.push(flight);
  }
  return found;
}

/** @type {WeakMap<Trace, Float64Array>} */
const times = new WeakMap();

/** @param {Trace} trace */
function sentTimes(trace) {
  let found = times.get(trace);
  if (found === undefined) times.set(trace, (found = Float64Array.from(trace.flights, (flight) => flight.sent)));
  return found;
}

/**
 * @param {import('./trace.js').Flight} flight
 * @param {Map<string, {x: number, y: number}>} places
 * @param {Player} player
 */
function flightOf(flight, places, player) {
  const from = places.get(flight.source), to = places.get(flight.target);
  if (!from || !to) return nothing;
  const isCurrent = (!player.isPlaying || player.isStill) && (flight.index === player.count - 1 || flight.end === player.count - 1);
  const { x, y, isStopped } = positionOf(flight, from, to, player.at);
  const trace = /** @type {Trace} */ (player.trace);
  const go = () => {
    player.pause();
    player.seekRecord(flight.index);
  };
  return svg`<g class="flight ${isCurrent ? 'current' : ''}" data-packet=${packetClass(flight.kind)} data-fate=${flight.fate === 'arrived' ? 'arrived' : 'lost'} @click=${go}>
    <title>${lineOf(trace.records[flight.index])}</title>
    <line class="path" x1=${from.x} y1=${from.y} x2=${isCurrent ? to.x : x} y2=${isCurrent ? to.y : y} />
    ${isStopped ? svg`<path class="cross" d="M${x - 4} ${y - 4}l8 8m0 -8l-8 8" />` : svg`<circle cx=${x} cy=${y} r=${flight.kind === 'stream' ? 4 : 3.2} />`}
    ${flight.news && flight.kind !== flight.news ? svg`<circle class="news" data-packet=${flight.news} cx=${x} cy=${y} r="1.7" />` : nothing}</g>`;
}

/** Where a packet is; a lost one stops half way, one that no process reads just before its target. */
function positionOf(/** @type {import('./trace.js').Flight} */ flight, /** @type {any} */ from, /** @type {any} */ to, /** @type {number} */ at) {
  const took = flight.arrives - flight.sent;
  const share = took > 0 ? Math.min(1, Math.max(0, (at - flight.sent) / took)) : 1;
  const most = flight.fate === 'arrived' ? 1 : flight.fate === 'unheard' ? 0.86 : 0.5;
  const gone = Math.min(share, most);
  return { x: from.x + gone * (to.x - from.x), y: from.y + gone * (to.y - from.y), isStopped: most < 1 && share >= most };
}

/** Dashed arrows from each node to those that it suspects. */
function accusations(/** @type {Trace} */ trace, /** @type {Map<string, any>} */ state, /** @type {Map<string, any>} */ places) {
  return [...state].flatMap(([observer, { table }]) =>
    [...table].flatMap(([member, { status }]) => {
      const from = places.get(observer), to = places.get(member);
      if (status !== 'suspect' || !from || !to) return [];
      const bend = `${(from.x + to.x) * 0.32} ${(from.y + to.y) * 0.32}`;
      return [svg`<path class="accusation" d="M${from.x} ${from.y}Q${bend} ${to.x} ${to.y}"><title>${observer} suspects ${member}</title></path>`];
    }),
  );
}

/**
 * @param {string} node @param {Map<string, {x: number, y: number}>} places @param {Player} player
 * @param {Map<string, import('./trace.js').NodeState>} state @param {import('./trace.js').NodeState | undefined} view
 */
function nodeOf(node, places, player, state, view) {
  const { x, y } = /** @type {{x: number, y: number}} */ (places.get(node));
  const own = state.get(node);
  // A live trace has no event of a node about itself while it is alive.
  const status = view?.table.get(node)?.status ?? (node === player.observer && isUp(own) ? 'alive' : 'unknown');
  const process = own?.process ?? 'unknown';
  const size = places.size <= 12 ? 13 : places.size <= 24 ? 9 : 6;
  const away = RADIUS + size + 6;
  const anchor = x > 20 ? 'start' : x < -20 ? 'end' : 'middle';
  const dy = y > 60 ? 8 : y < -60 ? -2 : 3;
  const isLabelled = places.size <= LABELS_MAX || node === player.observer || status !== 'alive';
  const text = `${node}: ${status} to ${player.observer}, in truth ${process}`;
  const choose = () => {
    player.observer = node;
    player.changed();
  };
  return svg`<g class="node ${node === player.observer ? 'observer' : ''}" data-state=${status} data-process=${isUp(own) ? process : 'gone'}
    role="button" tabindex=${node === player.observer ? 0 : -1} aria-label=${text} aria-pressed=${node === player.observer} @click=${choose}>
    <title>${text}</title>
    ${node === player.observer ? svg`<circle class="halo" cx=${x} cy=${y} r=${size + 5} />` : nothing}
    <circle class="disc" cx=${x} cy=${y} r=${size} />
    ${size > 6 ? svg`<text class="sign" x=${x} y=${y + size * 0.38} font-size=${size * 1.1}>${GLYPHS[/** @type {keyof typeof GLYPHS} */ (status)] ?? '·'}</text>` : nothing}
    ${isLabelled ? svg`<text class="who" x=${(x / RADIUS) * away} y=${(y / RADIUS) * away + dy} text-anchor=${anchor}>${short(node)}${
      places.size <= PROCESSES_MAX && process !== 'running' && process !== 'unknown' ? svg`<tspan class="process"> ${process}</tspan>` : nothing}</text>` : nothing}</g>`;
}

/** @param {string} name */
function short(name) {
  return name.length > 14 ? `${name.slice(0, 13)}…` : name;
}

// -- many nodes

/** @type {HTMLCanvasElement | null} */
let canvas = null;

function canvasOf(/** @type {Trace} */ trace, /** @type {Map<string, any>} */ places, /** @type {any} */ view, /** @type {any} */ state, /** @type {any[]} */ flights, /** @type {string} */ words) {
  canvas ??= document.createElement('canvas');
  canvas.className = 'space';
  canvas.setAttribute('role', 'img');
  canvas.setAttribute('aria-label', words);
  const surface = canvas;
  requestAnimationFrame(() => paint(surface, trace, places, view, state, flights));
  return surface;
}

function paint(/** @type {HTMLCanvasElement} */ surface, /** @type {Trace} */ trace, /** @type {Map<string, any>} */ places, /** @type {any} */ view, /** @type {Map<string, any>} */ state, /** @type {any[]} */ flights) {
  const { width, height } = surface.getBoundingClientRect();
  if (!width) return;
  const ratio = devicePixelRatio;
  Object.assign(surface, { width: width * ratio, height: height * ratio });
  const context = /** @type {CanvasRenderingContext2D} */ (surface.getContext('2d'));
  const style = getComputedStyle(surface);
  const colour = (/** @type {string} */ name) => style.getPropertyValue(name) || style.color;
  const scale = (Math.min(width, height) / 256) * ratio;
  context.setTransform(scale, 0, 0, scale, (width * ratio) / 2, (height * ratio) / 2);
  for (const flight of flights) {
    const from = places.get(flight.source), to = places.get(flight.target);
    if (!from || !to) continue;
    context.strokeStyle = context.fillStyle = colour(flight.fate === 'arrived' ? `--packet-${packetClass(flight.kind)}` : '--failed');
    context.beginPath();
    context.moveTo(from.x, from.y);
    context.lineTo(to.x, to.y);
    context.globalAlpha = 0.5;
    context.stroke();
    context.globalAlpha = 1;
  }
  for (const [node, { x, y }] of places) {
    const status = view?.table.get(node)?.status ?? 'unknown';
    context.fillStyle = colour(status === 'unknown' ? '--faint' : `--${status}`);
    context.beginPath();
    context.arc(x, y, isUp(state.get(node)) ? 3 : 2, 0, 2 * Math.PI);
    context.fill();
    if (status === 'alive') continue;
    context.font = '7px system-ui';
    context.textAlign = x < 0 ? 'right' : 'left';
    context.fillText(`${GLYPHS[/** @type {keyof typeof GLYPHS} */ (status)] ?? '·'} ${short(node)}`, x * 1.06, y * 1.06 + 2);
  }
}
