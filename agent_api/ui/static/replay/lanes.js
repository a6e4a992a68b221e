// @ts-check
/** The time axis: faults, events and packets in lanes under one another, and the playhead over all of them. */
import { html, nothing, render, svg } from '../vendor/lit-html.js';
import { clock, lineOf } from './words.js';

/** @typedef {import('./player.js').Player} Player */

const BINS = 240;
const TOP = { faults: 0, events: 26, packets: 62 };
const HEIGHT = 104;
/** On a narrow screen there is no lane of packets. */
const NARROW_HEIGHT = TOP.packets;
const ROW = { events: 30, packets: 38 };
/** The most severe state of a bin of transitions decides its colour. */
const SEVERITY = ['failed', 'suspect', 'left', 'leaving', 'alive'];

/**
 * The drawing of one trace on one axis, made once.
 *
 * @type {{key: unknown[], node: SVGSVGElement | null}}
 */
let drawn = { key: [], node: null };

/** The lanes as one slider. @param {Player} player @param {boolean} isNarrow */
export function lanes(player, isNarrow) {
  const height = isNarrow ? NARROW_HEIGHT : HEIGHT;
  const trace = /** @type {import('./trace.js').Trace} */ (player.trace);
  const { pace } = player;
  const now = percent(pace.share(player.at));
  const onPointer = (/** @type {PointerEvent} */ event) => {
    if (event.type === 'pointerdown') /** @type {Element} */ (event.currentTarget).setPointerCapture(event.pointerId);
    else if (!(event.buttons & 1)) return;
    const box = /** @type {Element} */ (event.currentTarget).getBoundingClientRect();
    player.pause();
    player.seek(pace.timeAt(pace.total * Math.min(1, Math.max(0, (event.clientX - box.left) / box.width))));
  };
  return html`<div class="lanes">
    <div class="lane-names" aria-hidden="true"><span>faults</span><span>events</span>${isNarrow ? nothing : html`<span>packets</span>`}</div>
    <div class="scrub ${isNarrow ? 'one' : ''}" role="slider" tabindex="0" aria-label="Time" aria-valuemin="0" aria-valuemax=${trace.end}
      aria-valuenow=${player.at} aria-valuetext=${valueText(player)} @pointerdown=${onPointer} @pointermove=${onPointer}>
      ${drawing(player, height)}
      <svg class="over" aria-hidden="true">
        ${player.marks.map((at) => svg`<rect class="bookmark" x=${percent(pace.share(at))} y="0" width="3" height=${height} />`)}
        ${player.difference ? svg`<rect class="difference" x=${percent(pace.share(trace.times[player.difference.index] ?? trace.end))} y="0" width="2" height=${height} />` : nothing}
        <line class="playhead" x1=${now} x2=${now} y1="0" y2=${height} />
        <circle class="playhead" cx=${now} cy=${height} r="6" />
      </svg>
    </div></div>`;
}

/** @param {Player} player */
function valueText(player) {
  const trace = /** @type {import('./trace.js').Trace} */ (player.trace);
  const record = trace.records[player.count - 1];
  return `${clock(player.at)}${record ? `, ${lineOf(record)}` : ''}`;
}

/** @param {number} share */
function percent(share) {
  return `${(100 * share).toFixed(3)}%`;
}

/** @param {Player} player @param {number} height */
function drawing(player, height) {
  const key = [player.trace, player.pace, height];
  if (drawn.node === null || key.some((each, index) => each !== drawn.key[index])) {
    const holder = document.createElement('div');
    render(svgOf(player, height), holder);
    drawn = { key, node: /** @type {SVGSVGElement} */ (holder.querySelector('svg')) };
  }
  return drawn.node;
}

/** @param {Player} player @param {number} height */
function svgOf(player, height) {
  const trace = /** @type {import('./trace.js').Trace} */ (player.trace);
  return html`<svg class="drawing" width="100%" height=${height + 8} aria-hidden="true">
    ${Object.values(TOP).filter((y) => y < height).map((y) => svg`<line class="rule" x1="0" x2="100%" y1=${y + 0.5} y2=${y + 0.5} />`)}
    ${height > TOP.packets ? packetBars(player) : nothing} ${eventBars(player)} ${faultMarks(player)}
    ${trace.violations.map((index) => svg`<g><rect class="violation" x=${percent(player.pace.share(trace.times[index]))} y="0" width="3" height=${height} />
      <title>${lineOf(trace.records[index])}</title></g>`)}</svg>`;
}

/** How many of some records fall into each bin. @param {Player} player @param {number[]} indices */
function binned(player, indices) {
  const trace = /** @type {import('./trace.js').Trace} */ (player.trace);
  /** @type {Map<number, number[]>} */
  const bins = new Map();
  for (const index of indices) {
    const bin = Math.min(BINS - 1, Math.floor(player.pace.share(trace.times[index]) * BINS));
    const list = bins.get(bin);
    if (list) list.push(index);
    else bins.set(bin, [index]);
  }
  return [...bins];
}

/** @param {Player} player */
function packetBars(player) {
  const trace = /** @type {import('./trace.js').Trace} */ (player.trace);
  const bins = binned(player, trace.records.flatMap((each, index) => (each.kind === 'send' || each.step === 'dial' ? [index] : [])));
  const most = Math.max(1, ...bins.map(([, list]) => list.length));
  const bottom = TOP.packets + ROW.packets;
  return bins.map(([bin, list]) => {
    const lost = list.filter((index) => !['sent', undefined].includes(trace.records[index].fate)).length;
    const height = (ROW.packets - 2) * Math.sqrt(list.length / most);
    const red = height * (lost / list.length);
    return svg`<rect class="packets" x=${percent(bin / BINS)} width=${percent(0.8 / BINS)} y=${bottom - height} height=${height} />
      ${red ? svg`<rect class="lost" x=${percent(bin / BINS)} width=${percent(0.8 / BINS)} y=${bottom - red} height=${red} />` : nothing}`;
  });
}

/** @param {Player} player */
function eventBars(player) {
  const trace = /** @type {import('./trace.js').Trace} */ (player.trace);
  return binned(player, trace.transitions).map(([bin, list]) => {
    const states = new Set(list.map((index) => trace.records[index].after));
    const state = SEVERITY.find((each) => states.has(each)) ?? 'alive';
    const height = Math.min(ROW.events, 8 + 4 * list.length);
    return svg`<rect class="event" data-state=${state} x=${percent(bin / BINS)} width=${percent(0.8 / BINS)} y=${TOP.packets - 2 - height} height=${height} />`;
  });
}

/** @param {Player} player */
function faultMarks(player) {
  const trace = /** @type {import('./trace.js').Trace} */ (player.trace);
  let free = -1;
  return trace.faults.map((index) => {
    const record = trace.records[index];
    const share = player.pace.share(trace.times[index]);
    const label = `${record.fault}${record.node ? ` ${record.node}` : ''}`;
    const isLate = share > 0.85;
    const hasRoom = share >= free;
    if (hasRoom) free = share + 0.012 * Math.min(label.length, 18) + 0.01;
    const x = percent(share);
    return svg`<svg class="fault" x=${x} y="0" overflow="visible"><path d="M-5 5h10l-5 9z" /><title>${clock(trace.times[index])} ${lineOf(record)}</title>
      ${hasRoom ? svg`<text x=${isLate ? -8 : 8} y="15" text-anchor=${isLate ? 'end' : 'start'}>${label.slice(0, 18)}</text>` : nothing}</svg>`;
  });
}
