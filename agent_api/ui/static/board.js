// @ts-check
/**
 * The nodes as they reach each other: on a ring, with cuts between them. A lasso chooses nodes, dragging one into the other
 * side cuts it off.
 */
import { html, nothing, svg } from './vendor/lit-html.js';
import { repeat } from './vendor/directives/repeat.js';
import { namesOf } from './cluster.js';
import { GLYPH } from './store.js';
import { oneWayCuts, sidesOf, splitVerb } from './script.js';

const SIZE = 400;
const RADIUS = 150;
const NODE = 21;
const FINGER = 28; // the same on a narrow screen
const LINKS_MAX = 400; // cuts that are drawn
const DRAG_PX = 5;
const FOLLOWS_MS = 3000; // the focus follows a node that keys have moved

/** Where the nodes stand: the sides of a partition keep apart. */
export function places(cluster, names, sides) {
  const gap = sides.length > 1 ? 1.2 : 0;
  const total = names.length + gap * sides.length;
  const at = new Map();
  let index = gap / 2;
  for (const side of sides) {
    for (const name of side) {
      const angle = (2 * Math.PI * (index + 0.5)) / total - Math.PI / 2;
      at.set(name, { x: SIZE / 2 + RADIUS * Math.cos(angle), y: SIZE / 2 + RADIUS * Math.sin(angle) });
      index += 1;
    }
    index += gap;
  }
  return at;
}

export const stateWord = (node) => (node.state === 'running' ? 'alive' : node.state);

export function ring(state, names, actions) {
  const { cluster } = state;
  const sides = sidesOf(cluster, names);
  const at = places(cluster, names, sides);
  const drawn = cluster.links.cuts.length <= LINKS_MAX ? cluster.links.cuts : [];
  const single = new Set(oneWayCuts(cluster).map((pair) => pair.join('\n')));
  const chosen = state.ui.chosen ?? new Set();
  const full = state.narrow ? FINGER : NODE;
  const small = names.length > 16 ? Math.max(8, full * 16 / names.length) : full;
  return html`<svg class="board" viewBox="0 0 ${SIZE} ${SIZE}" role="group" data-small=${small < 14} aria-label="Nodes; drag around some to choose them" @pointerdown=${(event) => lasso(state, event, at)}>
    <defs><marker id="cut-end" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0 8 4 0 8z"/></marker></defs>
    ${sides.length > 1 && sides.length <= 6 ? sides.map((side, index) => hull(side.map((each) => at.get(each)), index, small)) : nothing}
    ${drawn.map(([source, target]) => {
      const isSingle = single.has(`${source}\n${target}`);
      if (!isSingle && source > target) return nothing;
      const [a, b] = shortened(at.get(source), at.get(target), small + 3);
      return a && b ? svg`<line class="cut" data-single=${isSingle} x1=${a.x} y1=${a.y} x2=${b.x} y2=${b.y} marker-end=${isSingle ? 'url(#cut-end)' : ''}/>` : nothing;
    })}
    ${names.map((each) => {
      const node = cluster.nodes.get(each);
      const p = at.get(each);
      const word = stateWord(node);
      return svg`<g class="node" data-node=${each} data-state=${word} data-chosen=${chosen.has(each)} transform="translate(${p.x} ${p.y})" role="button" tabindex="0"
        aria-pressed=${chosen.has(each)} aria-label="${each}: ${node.state}" @pointerdown=${(event) => drag(state, event, each, actions)}
        @keydown=${(event) => toggleByKey(state, event, each)}>
        <circle r=${small}/><text class="number" dy="0.35em">${node.number}</text>${word === 'alive' ? nothing : svg`<text class="mark" x=${small * 0.8} y=${-small * 0.7}>${GLYPH[word] ?? ''}</text>`}</g>`;
    })}
    ${state.ui.lasso ? svg`<polygon class="lasso" points=${state.ui.lasso.map((p) => `${p.x},${p.y}`).join(' ')}/>` : nothing}
    ${state.ui.dragged ? svg`<circle class="dragged" cx=${state.ui.dragged.x} cy=${state.ui.dragged.y} r=${small}/>` : nothing}
  </svg>`;
}

/** A soft shape behind one side. */
function hull(points, index, small) {
  const center = { x: points.reduce((sum, p) => sum + p.x, 0) / points.length, y: points.reduce((sum, p) => sum + p.y, 0) / points.length };
  const path = points.length === 1 ? `M${points[0].x} ${points[0].y}h.1` : `M${points.map((p) => `${p.x} ${p.y}`).join('L')}${points.length > 2 ? `L${center.x} ${center.y}Z` : ''}`;
  return svg`<path class="hull" data-camp=${index % 6} d=${path} stroke-width=${small * 3}/>`;
}

/** A line without its first and last pixels, which are the nodes. */
function shortened(a, b, by) {
  if (!a || !b) return [];
  const length = Math.hypot(b.x - a.x, b.y - a.y) || 1;
  const [dx, dy] = [(by * (b.x - a.x)) / length, (by * (b.y - a.y)) / length];
  return [{ x: a.x + dx, y: a.y + dy }, { x: b.x - dx, y: b.y - dy }];
}

/** A point of the pointer in the coordinates of the picture. */
function pointOf(board, event) {
  const box = board.getBoundingClientRect();
  return { x: ((event.clientX - box.left) * SIZE) / box.width, y: ((event.clientY - box.top) * SIZE) / box.height };
}

function toggle(state, node) {
  state.ui.chosen ??= new Set();
  if (!state.ui.chosen.delete(node)) state.ui.chosen.add(node);
  state.redraw();
}

function toggleByKey(state, event, node) {
  if (event.key !== ' ' && event.key !== 'Enter') return;
  event.preventDefault();
  event.stopPropagation();
  toggle(state, node);
}

/** Follows the pointer until it is up. */
function track(board, event, move, done) {
  const abort = new AbortController();
  const { signal } = abort;
  addEventListener('pointermove', move, { signal });
  for (const end of ['pointerup', 'pointercancel']) {
    addEventListener(end, (last) => { abort.abort(); done(last); }, { signal });
  }
}

/** Chooses the nodes inside a line drawn around them. */
function lasso(state, event, at) {
  if (event.button || event.target.closest('.node')) return;
  const board = event.currentTarget;
  event.preventDefault();
  const points = [pointOf(board, event)];
  track(board, event, (moved) => {
    points.push(pointOf(board, moved));
    state.ui.lasso = points;
    state.redraw();
  }, () => {
    state.ui.lasso = null;
    const inside = points.length < 3 ? [] : [...at].filter(([, p]) => isInside(p, points)).map(([name]) => name);
    state.ui.chosen = new Set(inside);
    if (inside.length) state.say(`Chosen: ${inside.join(', ')}`);
    state.redraw();
  });
}

/** Whether a point is inside a polygon. */
export function isInside(p, points) {
  let inside = false;
  for (let i = 0, j = points.length - 1; i < points.length; j = i, i += 1) {
    const [a, b] = [points[i], points[j]];
    if (a.y > p.y !== b.y > p.y && p.x < ((b.x - a.x) * (p.y - a.y)) / (b.y - a.y) + a.x) inside = !inside;
  }
  return inside;
}

/** Drags one node, or all chosen ones with it; where it is let go decides: on a zone, it moves to that side. */
function drag(state, event, node, actions) {
  if (event.button) return;
  event.preventDefault();
  event.stopPropagation();
  const board = event.currentTarget.closest('svg, .zones');
  const from = { x: event.clientX, y: event.clientY };
  const isFar = (moved) => Math.hypot(moved.clientX - from.x, moved.clientY - from.y) > DRAG_PX;
  event.currentTarget.focus?.();
  track(board, event, (moved) => {
    if (!isFar(moved)) return;
    state.ui.dragged = board instanceof SVGElement ? pointOf(board, moved) : null;
    state.ui.dragging = node;
    state.redraw();
  }, (last) => {
    const wasDragged = state.ui.dragging === node;
    Object.assign(state.ui, { dragged: null, dragging: null });
    if (!wasDragged || last.type === 'pointercancel') toggle(state, node);
    else {
      const side = document.elementFromPoint(last.clientX, last.clientY)?.closest('[data-side]');
      if (side) moveTo(state, node, Number(/** @type {HTMLElement} */ (side).dataset.side), actions);
    }
    state.redraw();
  });
}

/** Moves a node, and the chosen ones if it is one of them, to a side of the partition as it is by now. */
function moveTo(state, node, side, actions) {
  const sides = sidesOf(state.cluster, namesOf(state.cluster));
  const chosen = state.ui.chosen?.has(node) ? [...state.ui.chosen] : [node];
  const next = sides.map((names) => names.filter((each) => !chosen.includes(each)));
  next[side] = [...(next[side] ?? []), ...chosen];
  state.ui.chosen = new Set();
  const verb = splitVerb(state.cluster, next);
  if (verb) actions.do(verb);
}

/** Two sides into which nodes are dragged: what reaches each other is in one. */
export function zones(state, names, actions) {
  const sides = sidesOf(state.cluster, names);
  const shown = sides.length > 1 ? sides : [sides[0] ?? [], []];
  const key = (event, node, index) => {
    const by = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 }[event.key];
    if (!by || index + by < 0 || index + by >= shown.length) return;
    event.preventDefault();
    event.stopPropagation();
    state.ui.moved = { node, until: performance.now() + FOLLOWS_MS };
    moveTo(state, node, index + by, actions);
  };
  return html`<div class="zones" role="group" aria-label="Sides of a partition: drag a node to the other side, or move it with the arrow keys">${shown.slice(0, 8).map((side, index) => html`
    <div class="zone" data-side=${index} data-camp=${shown.length > 1 && sides.length > 1 ? index % 6 : ''} data-over=${Boolean(state.ui.dragging)}>
      <h3>${String.fromCharCode(65 + index)}</h3>
      ${repeat(side, (each) => each, (each) => html`<button class="piece" data-piece=${each} data-state=${stateWord(state.cluster.nodes.get(each))} aria-pressed=${state.ui.chosen?.has(each) ?? false}
        title="Drag ${each} to the other side; arrow keys move it" @pointerdown=${(event) => drag(state, event, each, actions)}
        @keydown=${(event) => key(event, each, index)} @click=${(event) => event.detail === 0 && toggle(state, each)}>${state.cluster.nodes.get(each).number}</button>`)}
      ${side.length ? nothing : html`<span class="faint">drop a node here to cut it off</span>`}</div>`)}</div>`;
}

/** A node that keys have moved keeps the focus, also on its new side. */
export function keepFocus({ ui }) {
  if (!ui.moved || performance.now() > ui.moved.until || document.activeElement !== document.body) return;
  /** @type {HTMLElement | null} */ (document.querySelector(`[data-piece="${CSS.escape(ui.moved.node)}"]`))?.focus();
}
