// @ts-check
/** The views of many nodes as one picture: a canvas with a pixel or more for each cell, and names by a crosshair. */
import { html } from './vendor/lit-html.js';

const WORDS = ['alive', 'suspect', 'leaving', 'left', 'failed', 'unknown'];
const SIDE = 620; // px
const HEAD = 1;

/** The colours of the states in the scheme that is on. */
function palette(element) {
  const style = getComputedStyle(element);
  const probe = document.createElement('span');
  element.append(probe);
  const colours = Object.fromEntries(WORDS.map((word) => {
    probe.dataset.state = word;
    probe.style.color = word === 'unknown' ? 'var(--line)' : 'var(--state)';
    return [word, getComputedStyle(probe).color];
  }));
  probe.remove();
  return /** @type {Record<string, string>} */ ({ ...colours, back: style.backgroundColor, edge: style.color });
}

/** Draws all cells; well ones are pale, so that the eye finds the others. */
function draw(canvas, state, matrix, tone) {
  const { rows, columns } = matrix;
  const size = Math.max(1, Math.min(Math.floor(SIDE / Math.max(rows.length, columns.length, 1)), 14));
  const ratio = devicePixelRatio;
  Object.assign(canvas, { width: columns.length * size * ratio, height: rows.length * size * ratio });
  canvas.style.width = `${columns.length * size}px`;
  canvas.style.height = `${rows.length * size}px`;
  canvas.dataset.size = String(size);
  const context = canvas.getContext('2d');
  const colours = palette(canvas.parentElement);
  context.scale(ratio, ratio);
  const gap = size > 3 ? HEAD : 0;
  rows.forEach((observer, y) => columns.forEach((subject, x) => {
    const word = tone(observer, subject);
    const isAlive = word === 'alive';
    context.globalAlpha = isAlive && !matrix.differs(observer, subject) ? 0.35 : 1;
    context.fillStyle = colours[word] ?? colours.unknown;
    context.fillRect(x * size, y * size, size - gap, size - gap);
    if (matrix.differs(observer, subject) && size > 5) {
      context.strokeStyle = colours.edge;
      context.strokeRect(x * size + 0.5, y * size + 0.5, size - gap - 1, size - gap - 1);
    }
  }));
  const [observer, subject] = state.ui.cell ?? [];
  const [y, x] = [rows.indexOf(observer), columns.indexOf(subject)];
  if (x < 0 || y < 0) return;
  context.globalAlpha = 0.5;
  context.fillStyle = colours.edge;
  context.fillRect(0, y * size + size / 2, columns.length * size, 1);
  context.fillRect(x * size + size / 2, 0, 1, rows.length * size);
}

/** The picture; `tone` is the state whose colour a cell has, `sentence` says what it is, `open` shows its reasons. */
export function heatMap(state, matrix, choice, tone, sentence, open) {
  const { rows, columns } = matrix;
  if (!rows.length || !columns.length) return html`<p class="panel faint">Nothing differs. Untick “only what differs” to see every cell.</p>`;
  requestAnimationFrame(() => {
    const canvas = /** @type {HTMLCanvasElement | null} */ (document.querySelector('canvas.heat'));
    if (canvas) draw(canvas, state, matrix, tone);
  });
  const point = (event) => {
    const size = Number(event.target.dataset.size) || 1;
    const observer = rows[Math.floor(event.offsetY / size)];
    const subject = columns[Math.floor(event.offsetX / size)];
    if (observer && subject) { state.ui.cell = [observer, subject]; state.redraw(); }
  };
  const step = (event) => {
    const by = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
    const [observer, subject] = state.ui.cell ?? [rows[0], columns[0]];
    if (event.key === 'Enter') open(observer, subject);
    if (!by) return;
    event.preventDefault();
    event.stopPropagation();
    const clamp = (list, index) => list[Math.max(0, Math.min(list.length - 1, index))];
    state.ui.cell = [clamp(rows, rows.indexOf(observer) + by[0]), clamp(columns, columns.indexOf(subject) + by[1])];
    state.redraw();
  };
  const said = state.ui.cell ? sentence(state, matrix, ...state.ui.cell) : `${rows.length} observers by ${columns.length} members; arrow keys move`;
  return html`<div class="panel heat-panel"><canvas class="heat" role="application" tabindex="0" aria-roledescription="matrix" aria-label=${said}
    @mousemove=${point} @keydown=${step} @click=${() => state.ui.cell && open(...state.ui.cell)}></canvas>
    <p class="faint">${rows.length} observers by ${columns.length} members. ${choice.only ? 'Only what differs, and nodes that do not run.' : ''}</p></div>`;
}
