// @ts-check
/** The picture of the members: a ring as SVG, above that a canvas, above that one arc for each group. */
import { html, nothing, svg } from './vendor/lit-html.js';
import { filterOf } from './filter.js';
import { hostPort, millis, span } from './format.js';
import { RADIUS, at, boxOf, groupTag, grouped, ring, rttMap } from './layout.js';
import { reasonOf } from './sentences.js';
import { GLYPH, countsOf, stateOf } from './store.js';

const SVG_MAX = 60; // members drawn one by one as elements
const CANVAS_MAX = 500; // as dots; more are arcs
const LABELS_MAX = 40;
const LINE = 13; // between two labels
const FADE = 30_000; // ms that the arrow of a decisive accuser stays

/** What the reader has chosen: the layout, the edges. */
const layoutOf = (route) => (['rtt', 'group'].includes(route.layout) ? route.layout : 'ring');
export const edgesOf = (route) => new Set((route.edges ?? 'suspicion').split(','));

/** Who suspects a member: from the suspicion, else the one that the last line names. */
export function accusersOf(state, m) {
  if (m.suspicion) return m.suspicion.accusers;
  const line = state.store.latest.get(m.name);
  return line?.accuser ? [line.accuser] : [];
}

/** A member in one sentence. */
export function sentence(state, m) {
  const of = stateOf(m);
  const since = m.since ? `, since ${span(state.now - Date.parse(m.since))}` : '';
  const by = of === 'suspect' ? `, by ${accusersOf(state, m).join(', ') || 'a member'}` : '';
  return `${m.name}${m.name === state.observer ? ' (the observer)' : ''}: ${of}${since}${by}`;
}

/** What depends on the members' names and tags alone: it is made again only when those change. */
function kept(state, key, make) {
  const whole = [state.observer, state.store.roster, state.members.size].join(' ');
  const known = (state.ui.kept ??= {});
  if (known.whole !== whole) state.ui.kept = { whole };
  return (state.ui.kept[key] ??= { value: make() }).value;
}

const tagOf = (state, members) => kept(state, 'tag', () => groupTag(members));

/** Where each member stands, for the chosen layout. */
const placed = (state, members) => kept(state, `${layoutOf(state.route)} ${state.ui.coordinatesAt}  ${Boolean(state.coordinates)}`, () => place(state, members));

function place(state, members) {
  const layout = layoutOf(state.route);
  if (layout === 'rtt' && state.coordinates) {
    const map = rttMap(state.coordinates, state.observer, members.map((m) => m.name));
    if (map) return map;
  }
  const tag = layout === 'group' ? tagOf(state, members) : '';
  if (tag) {
    return grouped([...members], (m) => m.tags[tag] ?? `no ${tag}`);
  }
  return { places: ring((state.ui.ring ??= {}), members.map((m) => m.name)) };
}

/** @returns the picture of the observer's members, and the choices below it */
export function picture(state) {
  const members = [...state.members.values()];
  const isMany = members.length > CANVAS_MAX && layoutOf(state.route) !== 'rtt';
  const drawn = isMany ? arcs(state, members) : figure(state, members);
  return html`<div class="picture">${drawn}${tooltip(state)}</div>${choices(state, members)}`;
}

function figure(state, members) {
  const layout = placed(state, members);
  state.ui.placed = layout.places;
  const isCanvas = members.length > SVG_MAX;
  const inner = svg`
    ${layout.circles ? layout.circles.map((each) => svg`<circle class="guide" r=${each.radius}/><text class="scale" y=${-each.radius - 3}>${each.label}</text>`)
      : layout.arcs?.length > 1 ? nothing : svg`<circle class="guide" r=${RADIUS}/>`}
    ${layout.arcs?.length > 1 ? layout.arcs.map(arcLabel) : nothing}
    ${isCanvas ? nothing : [edges(state, members, layout.places), marks(state, members, layout.places)]}`;
  const box = Object.values(boxOf(state.narrow)).join(' ');
  const label = `${members.length} members as ${state.observer} sees them`;
  if (!isCanvas) return html`<svg class="ring" viewBox=${box} role="group" aria-label=${label} @keydown=${(event) => turn(state, event)}>${inner}</svg>`;
  const target = members.find((m) => m.name === state.ui.hover);
  return html`<svg class="ring under" viewBox=${box} aria-hidden="true">${inner}</svg>
    <canvas class="ring" tabindex="0" role="button" aria-label="${label}. ${target ? sentence(state, target) : 'Arrow keys go from member to member, Enter opens one.'}"
      @pointermove=${(event) => hover(state, nearest(state, event))} @pointerleave=${() => hover(state, null)}
      @click=${() => state.ui.hover && state.go({ member: state.ui.hover })} @keydown=${(event) => turn(state, event)}></canvas>`;
}

function arcLabel({ key, members, from, to }) {
  const { x, y } = at((from + to) / 2, RADIUS + 44);
  const [a, b] = [at(from, RADIUS + 16), at(to, RADIUS + 16)];
  const large = to - from > Math.PI ? 1 : 0;
  return svg`<path class="guide" d="M${a.x} ${a.y}A${RADIUS + 16} ${RADIUS + 16} 0 ${large} 1 ${b.x} ${b.y}"/><text class="group" x=${x} y=${y}>${key} · ${members.length}</text>`;
}

function hover(state, name) {
  if (state.ui.hover === name) return;
  state.ui.hover = name;
  state.redraw();
}

/** Arrow keys go around the ring; Enter opens the member. */
function turn(state, event) {
  const names = [...(state.ui.placed?.entries() ?? [])].sort((a, b) => a[1].angle - b[1].angle).map(([name]) => name);
  const step = { ArrowRight: 1, ArrowDown: 1, j: 1, ArrowLeft: -1, ArrowUp: -1, k: -1 }[event.key];
  const current = state.ui.hover ?? state.observer;
  if (event.key === 'Enter' || event.key === ' ') state.go({ member: current });
  else if (!step) return;
  else {
    const next = names[(names.indexOf(current) + step + names.length) % names.length];
    state.ui.hover = next;
    state.redraw();
    requestAnimationFrame(() => /** @type {any} */ (document.querySelector('.ring [tabindex="0"]'))?.focus());
  }
  event.preventDefault();
  event.stopPropagation();
}

const isMatch = (state) => (state.route.filter ? filterOf(state.route.filter) : () => false);

/** The next place below `y` where no label of the same side stands. */
function free(labels, anchor, x, y) {
  while (labels.some((each) => each.anchor === anchor && Math.abs(each.x - x) < 90 && Math.abs(each.y - y) < LINE)) y += 2;
  labels.push({ anchor, x, y });
  return y;
}

function marks(state, members, places) {
  const count = members.length;
  const size = count <= 12 ? 9 : count <= 30 ? 7 : 5;
  const matches = isMatch(state);
  const focusable = places.has(state.ui.hover) ? state.ui.hover : state.observer;
  const labels = [];
  return members.filter((m) => places.has(m.name)).sort((a, b) => places.get(a.name).y - places.get(b.name).y).map((m) => {
    const of = stateOf(m);
    const { x, y, angle } = places.get(m.name);
    const own = m.name === state.observer;
    const isLabelled = count <= LABELS_MAX || own || of !== 'alive' || m.name === state.ui.hover || matches(m);
    const side = Math.sin(angle);
    const anchor = Math.abs(side) < 0.25 ? 'middle' : side > 0 ? 'start' : 'end';
    const lx = x + (anchor === 'middle' ? 0 : Math.sign(side) * (size + (m.suspicion ? 15 : 7)));
    const wanted = y + (anchor === 'middle' ? (Math.cos(angle) > 0 ? -size - 8 : size + 17) : 4);
    const ly = isLabelled ? free(labels, anchor, lx, wanted) : wanted;
    return svg`<g class="node" role="button" tabindex=${m.name === focusable ? 0 : -1} data-state=${of} ?data-own=${own} aria-label=${sentence(state, m)}
      @click=${() => state.go({ member: m.name })} @pointerenter=${() => hover(state, m.name)} @pointerleave=${() => hover(state, null)} @focus=${() => hover(state, m.name)}>
      <circle class="target" cx=${x} cy=${y} r=${Math.max(14, size + 6)}/>
      ${own ? svg`<circle class="halo" cx=${x} cy=${y} r=${size + 4}/>` : nothing}
      ${of === 'failed' ? svg`<path class="cross" d="M${x - size * 0.75} ${y - size * 0.75}l${size * 1.5} ${size * 1.5}m0 ${-size * 1.5}l${-size * 1.5} ${size * 1.5}"/>`
        : of === 'suspect' ? svg`<circle class="open" cx=${x} cy=${y} r=${size}/><path class="half" d="M${x} ${y - size}a${size} ${size} 0 0 0 0 ${2 * size}z"/>`
          : svg`<circle class=${of === 'alive' ? 'dot' : 'open'} cx=${x} cy=${y} r=${size}/>`}
      ${m.suspicion ? deadline(state, m.suspicion, x, y, size + 8) : nothing}
      ${isLabelled ? svg`<text x=${lx} y=${ly} text-anchor=${anchor}>${m.name.length > 18 ? `${m.name.slice(0, 17)}…` : m.name}${own ? ' (you)' : ''}</text>` : nothing}</g>`;
  });
}

/** What is left of a suspicion, as an arc that shrinks. */
function deadline(state, { started, deadline: end }, x, y, radius) {
  const total = Date.parse(end) - Date.parse(started) || 1;
  const left = Math.max(0, Math.min(1, (Date.parse(end) - state.now) / total));
  const around = 2 * Math.PI * radius;
  return svg`<circle class="deadline" cx=${x} cy=${y} r=${radius} stroke-dasharray="${around * left} ${around}" transform="rotate(-90 ${x} ${y})"/>`;
}

/** Lines from accusers to suspects, and those of acks and round-trip times from the observer. */
function edges(state, members, places) {
  const chosen = edgesOf(state.route);
  const found = [];
  const near = state.ui.hover;
  const line = (from, to, kind, title, opacity, width) => {
    const [a, b] = [places.get(from), places.get(to)];
    if (!a || !b || from === to) return;
    const length = Math.hypot(b.x - a.x, b.y - a.y) || 1;
    const [ux, uy] = [(b.x - a.x) / length, (b.y - a.y) / length];
    const isFaint = near && near !== from && near !== to;
    found.push(svg`<line class="edge ${kind}" x1=${a.x + ux * 14} y1=${a.y + uy * 14} x2=${b.x - ux * 20} y2=${b.y - uy * 20} opacity=${isFaint ? 0.12 : opacity}
      stroke-width=${width} marker-end=${kind === 'accuses' || kind === 'decided' ? `url(#${kind})` : nothing}><title>${title}</title></line>`);
  };
  const rtts = members.map((m) => m.rtt).filter((each) => each > 0);
  const mean = rtts.reduce((sum, each) => sum + each, 0) / rtts.length;
  const deviation = Math.sqrt(rtts.reduce((sum, each) => sum + (each - mean) ** 2, 0) / rtts.length) || 1;
  for (const m of members) {
    const last = state.store.latest.get(m.name);
    if (chosen.has('suspicion') && stateOf(m) === 'suspect') {
      const accusers = accusersOf(state, m);
      for (const each of accusers) line(each, m.name, 'accuses', `${each} suspects ${m.name}: ${last ? reasonOf(last) : ''}`, 1, 1.2 + Math.min(3, accusers.length * 0.5));
    }
    const age = state.now - (last?.at ?? NaN);
    if (chosen.has('suspicion') && last?.after === 'failed' && last.accuser && age < FADE) line(last.accuser, m.name, 'decided', `${m.name} failed: ${reasonOf(last)}`, 1 - age / FADE, 1.6);
    if (chosen.has('acks') && m.last_ack) line(state.observer, m.name, 'acked', `last ack ${span(state.now - Date.parse(m.last_ack))} ago`, Math.max(0.1, 1 - (state.now - Date.parse(m.last_ack)) / 60_000), 1.2);
    if (chosen.has('rtt') && m.rtt) line(state.observer, m.name, (m.rtt - mean) / deviation > 1 ? 'far' : (m.rtt - mean) / deviation < -1 ? 'close' : 'usual', `${millis(m.rtt)} ms`, 0.8, 1.2);
  }
  const head = (id) => svg`<marker id=${id} viewBox="0 0 8 8" refX="6" refY="4" markerWidth="7" markerHeight="7" markerUnits="userSpaceOnUse" orient="auto"><path class="head ${id}" d="M0 0 8 4 0 8z"/></marker>`;
  return svg`<defs>${head('accuses')}${head('decided')}</defs>${found}`;
}

function tooltip(state) {
  const m = state.members.get(state.ui.hover);
  const place = state.ui.placed?.get(state.ui.hover);
  if (!m || !place) return nothing;
  const box = boxOf(state.narrow);
  const [x, y] = [(100 * (place.x - box.x)) / box.width, (100 * (place.y - box.y)) / box.height];
  return html`<div class="tooltip" role="tooltip" .style=${`left:${x}%;top:${y}%;translate:${x > 50 ? 'calc(-100% - 16px)' : '16px'} ${y > 50 ? '-100%' : '0'}`}>
    <b><bdi>${m.name}</bdi></b><span class="state" data-state=${stateOf(m)}>${GLYPH[stateOf(m)]} ${stateOf(m)}${m.since ? ` for ${span(state.now - Date.parse(m.since))}` : ''}</span>
    <span class="mono">${hostPort(m)}</span><span>incarnation ${m.incarnation}${m.rtt ? `, ${millis(m.rtt)} ms` : ''}</span>
    ${m.last_ack ? html`<span>last ack ${span(state.now - Date.parse(m.last_ack))} ago</span>` : nothing}
    <span class="faint"><bdi>${Object.entries(m.tags).slice(0, 4).map((tag) => tag.join('=')).join(' ')}</bdi></span></div>`;
}

function choices(state, members) {
  const layout = layoutOf(state.route);
  const chosen = edgesOf(state.route);
  const hasMap = state.info?.stats.coordinate_resets != null || Boolean(state.coordinates);
  const tag = tagOf(state, members);
  const radio = (id, title, disabled, why) => html`<label title=${why}><input type="radio" name="layout" .checked=${layout === id} ?disabled=${disabled}
    @change=${() => state.go({ layout: id === 'ring' ? '' : id }, { replace: true })}> ${title}</label>`;
  const check = (id, title) => html`<label><input type="checkbox" .checked=${chosen.has(id)} @change=${() => {
    chosen.delete(id) || chosen.add(id);
    state.go({ edges: [...chosen].filter(Boolean).join(',') || 'none' }, { replace: true });
  }}> ${title}</label>`;
  return html`<div class="choices"><fieldset><legend>layout</legend>${radio('ring', 'ring', false, '')}${radio('rtt', hasMap ? 'RTT map' : 'RTT map (coordinates are off)', !hasMap, 'distance is the estimated round-trip time')}${
    radio('group', `by ${tag || 'dc'}`, !tag, tag ? '' : 'no tag groups these members')}</fieldset>
    <fieldset><legend>edges</legend>${check('suspicion', 'suspicion')}${check('acks', 'last acks')}${check('rtt', 'RTT')}</fieldset></div>`;
}

/** More members than dots have room for: one arc for each group, with its counts. */
function arcs(state, members) {
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
      <text class="group" x=${c.x} y=${c.y}>${key}</text><text class="scale" x=${c.x} y=${c.y + 16}>${words}</text></a>`;
  })}<text class="total" y="8">${members.length.toLocaleString('en')}</text></svg>`;
}

/** The member whose dot is nearest to the pointer, at most 14 px away. */
function nearest(state, event) {
  const on = event.target.getBoundingClientRect();
  const box = boxOf(state.narrow);
  const [x, y] = [box.x + ((event.clientX - on.left) / on.width) * box.width, box.y + ((event.clientY - on.top) / on.height) * box.height];
  let best = [null, 14];
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
  const of = {};
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
    pen.fillText(name.length > 18 ? `${name.slice(0, 17)}…` : name, x + (side ? 8 : -8), y + 4);
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
