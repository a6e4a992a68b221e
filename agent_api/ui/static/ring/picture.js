// @ts-check
/** The picture of the members: a ring as SVG; for many members, dots or arcs. */
import { html, nothing, svg } from '../vendor/lit-html.js';
import { lazy } from '../lazy.js';
import { stateOf } from '../store.js';
import { RADIUS, boxOf, brief } from './layout.js';
import { edgesOf, hover, isMatch, layoutOf, placed, sentence, tagOf } from './members.js';

const SVG_MAX = 60; // members drawn one by one as elements
const CANVAS_MAX = 500; // as dots; more are arcs
const LABELS_MAX = 40;
const LINE = 13; // between two labels

const dots = lazy(() => import('./dots.js'), 'ring/edges.css');
const lines = lazy(() => import('./edges.js'), 'ring/edges.css');
const pointed = lazy(() => import('./pointed.js'), 'ring/edges.css'); // one with the focus is pointed at

/** @returns the picture of the observer's members, and the choices below it */
export function picture(state) {
  const members = [...state.members.values()];
  const isArcs = members.length > CANVAS_MAX && layoutOf(state.route) !== 'rtt';
  const drawn = members.length <= SVG_MAX ? figure(state, members) : isArcs ? dots.get(state)?.arcs(state, members) : dotted(state, members);
  return html`<div class="picture">${drawn ?? nothing}${state.ui.hover ? pointed.get(state)?.tooltip(state) ?? nothing : nothing}</div>${choices(state, members)}`;
}

/** Draws the dots, after the rendering that has placed them. */
export const onDrawn = (state) => dots.module?.draw(state);

const labelOf = (state, members) => `${members.length} members as ${state.observer} sees them`;

function figure(state, members) {
  const layout = placed(state, members);
  state.ui.placed = layout.places;
  return html`<svg class="ring" viewBox=${Object.values(boxOf(state.narrow)).join(' ')} role="group" aria-label=${labelOf(state, members)}
    @keydown=${(event) => turned(state, event)}>${guides(layout)}${edged(state, members)?.edges(state, members, layout.places) ?? nothing}${marks(state, members, layout.places)}</svg>`;
}

/** A key may come before what it does is loaded. */
async function turned(state, event) {
  await pointed.ready;
  pointed.get(state)?.turn(state, event);
}

/** What draws lines between members, once there is one to draw. */
function edged(state, members) {
  const isPlain = (state.route.edges ?? 'suspicion') === 'suspicion' && members.every((m) => ['alive', 'left', 'leaving'].includes(stateOf(m)));
  return isPlain ? null : lines.get(state);
}

function dotted(state, members) {
  const layout = placed(state, members);
  state.ui.placed = layout.places;
  return dots.get(state)?.canvas(state, members, guides(layout), labelOf(state, members));
}

/** What stands behind the members: the ring, or what their layout says. */
const guides = (layout) => layout.guides ?? svg`<circle class="guide" r=${RADIUS}/>`;

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
      <circle class="target" cx=${x} cy=${y} r=${state.narrow && count <= 12 ? 28 : Math.max(14, size + 6)}/>
      ${own ? svg`<circle class="halo" cx=${x} cy=${y} r=${size + 4}/>` : nothing}
      ${of === 'failed' ? svg`<path class="cross" d="M${x - size * 0.75} ${y - size * 0.75}l${size * 1.5} ${size * 1.5}m0 ${-size * 1.5}l${-size * 1.5} ${size * 1.5}"/>`
        : of === 'suspect' ? svg`<circle class="open" cx=${x} cy=${y} r=${size}/><path class="half" d="M${x} ${y - size}a${size} ${size} 0 0 0 0 ${2 * size}z"/>`
          : svg`<circle class=${of === 'alive' ? 'dot' : 'open'} cx=${x} cy=${y} r=${size}/>`}
      ${m.suspicion ? lines.get(state)?.deadline(state, m.suspicion, x, y, size + 8) ?? nothing : nothing}
      ${isLabelled ? svg`<text x=${lx} y=${ly} text-anchor=${anchor}>${brief(m.name)}${own ? ' (you)' : ''}</text>` : nothing}</g>`;
  });
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
