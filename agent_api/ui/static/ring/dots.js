// @ts-check
/** The picture of many members: dots on a canvas, and of more than those one arc for each group. */
import { html, nothing, svg } from '../vendor/lit-html.js';
import { countsOf, stateOf } from '../store.js';
import { RADIUS, at, boxOf, brief } from './layout.js';
import { grouped } from './layouts.js';
import { accusersOf, hover, isMatch, sentence, tagOf } from './members.js';
import { turn } from './pointed.js';

/** The canvas, over what stands behind the members. */
export function canvas(state, members, guides, label) {
  const target = members.find((m) => m.name === state.ui.hover);
  return html`<svg class="ring under" viewBox=${Object.values(boxOf(state.narrow)).join(' ')} aria-hidden="true">${guides}</svg>
    <canvas class="ring" tabindex="0" role="button" aria-label="${label}. ${target ? sentence(state, target) : 'Arrow keys go from member to member, Enter opens one.'}"
      @pointermove=${(event) => hover(state, nearest(state, event))} @pointerleave=${() => hover(state, null)}
      @click=${() => state.ui.hover && state.go({ member: state.ui.hover })} @keydown=${(event) => turn(state, event)}></canvas>`;
}

/** More members than dots have room for: one arc for each group, with its counts. */
export function arcs(state, members) {
  const tag = tagOf(state, members);
  const { arcs: groups } = grouped(members, (m) => (tag ? m.tags[tag] ?? `no ${tag}` : 'all'));
  state.ui.placed = null;
  if (!groups.length) return nothing;
  return html`<svg class="ring" viewBox=${Object.values(boxOf(state.narrow)).join(' ')} role="group" aria-label="${members.length} members${tag ? ` by ${tag}` : ''}">${groups.map(({ key, members: list, from, to }) => {
    const counts = countsOf(new Map(list.map((m) => [m.name, m])));
    const bad = counts.failed ? 'failed' : counts.suspect ? 'suspect' : 'alive';
    const [a, b, c] = [at(from), at(Math.min(to, from + 6.28)), at((from + to) / 2, RADIUS - 62)];
    const words = Object.entries(counts).filter(([, count]) => count).map(([of, count]) => `${count.toLocaleString('en')} ${of}`).join(', ');
    return svg`<a href=${state.link({ view: 'members', filter: tag ? `${tag}=${key}` : '' })} aria-label="${key}: ${words}" data-state=${bad}>
      <path class="arc" d="M${a.x} ${a.y}A${RADIUS} ${RADIUS} 0 ${to - from > Math.PI ? 1 : 0} 1 ${b.x} ${b.y}"/>
      <text class="group" x=${c.x} y=${c.y}>${brief(key)}</text><text class="scale" x=${c.x} y=${c.y + 16}>${words}</text></a>`;
  })}<text class="total" y="8">${members.length.toLocaleString('en')}</text></svg>`;
}

/** The member whose dot is nearest to the pointer, at most 14 px away. */
function nearest(state, event) {
  const on = event.target.getBoundingClientRect();
  const box = boxOf(state.narrow);
  const [x, y] = [box.x + ((event.clientX - on.left) / on.width) * box.width, box.y + ((event.clientY - on.top) / on.height) * box.height];
  let best = /** @type {[any, number]} */ ([null, 14]);
  for (const [name, place] of state.ui.placed ?? []) {
    const distance = Math.hypot(place.x - x, place.y - y);
    if (distance < best[1]) best = [name, distance];
  }
  return best[0];
}

let colours = { key: '', of: /** @type {Record<string, string>} */ ({}) };

/** The colour of each state as a canvas takes it; it is read again when the scheme changes. */
function coloursOf(canvas) {
  const key = String(matchMedia('(prefers-color-scheme: dark)').matches);
  if (colours.key === key) return colours.of;
  const probe = document.createElement('span');
  probe.className = 'state';
  canvas.parentElement.append(probe);
  const of = /** @type {Record<string, string>} */ ({});
  for (const each of ['alive', 'suspect', 'leaving', 'left', 'failed', 'text']) {
    if (each === 'text') probe.className = '';
    probe.dataset.state = each;
    of[each] = getComputedStyle(probe).color;
  }
  probe.remove();
  colours = { key, of };
  return of;
}

/** Draws the dots, after the rendering that has placed them. */
export function draw(state) {
  const canvas = /** @type {HTMLCanvasElement | null} */ (document.querySelector('canvas.ring'));
  if (!canvas || !state.ui.placed) return;
  const ratio = devicePixelRatio || 1;
  const box = boxOf(state.narrow);
  const width = Math.round(canvas.clientWidth * ratio);
  if (canvas.width !== width) Object.assign(canvas, { width, height: Math.round((width * box.height) / box.width) });
  const pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d'));
  const scale = width / box.width;
  const of = coloursOf(canvas);
  const matches = isMatch(state);
  pen.setTransform(scale, 0, 0, scale, -box.x * scale, -box.y * scale);
  pen.clearRect(box.x, box.y, box.width, box.height);
  pen.font = '11px system-ui, sans-serif';
  for (const [name, { x, y, angle }] of state.ui.placed) {
    const m = state.members.get(name);
    if (!m) continue;
    const is = stateOf(m);
    const isBig = is !== 'alive' || name === state.ui.hover || name === state.observer;
    pen.fillStyle = pen.strokeStyle = of[is] ?? of.left;
    pen.beginPath();
    pen.arc(x, y, isBig ? 4.5 : 3, 0, 7);
    if (is === 'left' || is === 'leaving') pen.stroke();
    else pen.fill();
    if (is === 'suspect') for (const each of accusersOf(state, m)) arrow(pen, state.ui.placed.get(each), { x, y });
    if (!isBig && !matches(m)) continue;
    const side = Math.sin(angle) >= 0;
    pen.textAlign = side ? 'left' : 'right';
    pen.fillStyle = of.text;
    pen.fillText(brief(name), x + (side ? 8 : -8), y + 4);
  }
}

function arrow(pen, from, to) {
  if (!from) return;
  pen.setLineDash([4, 4]);
  pen.beginPath();
  pen.moveTo(from.x, from.y);
  pen.lineTo(to.x, to.y);
  pen.stroke();
  pen.setLineDash([]);
}
