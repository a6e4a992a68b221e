// @ts-check
/** The cluster at a glance: the picture, what is wrong now, traffic, the last events. */
import { html, nothing } from '../vendor/lit-html.js';
import { clock, plural } from '../format.js';
import { lazy } from '../lazy.js';
import { stateGlyph } from '../parts.js';
import { onDrawn, picture } from '../ring/picture.js';
import { sentenceOf } from '../sentences.js';
import { firstCharts, spark } from '../spark.js';
import { stateOf } from '../store.js';

const EVENTS_MAX = 6;
const LATELY = 600_000; // ms that a member that has left stays under "Now"

const alone = lazy(() => import('../alone.js'), 'alone.css');
const urgent = lazy(() => import('../now.js'), 'now.css');
const table = lazy(() => import('../ring/table.js'), 'lists.css');

export { onDrawn };

const switchTable = (state) => state.go({ table: state.route.table ? '' : '1' }, { replace: true });

export function onKey(state, event) {
  if (event.key.toLowerCase() !== 't') return false;
  switchTable(state);
  return true;
}

export function view(state) {
  const { members } = state;
  const isAlone = [...members.values()].filter((m) => m.status === 'alive').length <= 1;
  state.isMoving = [...members.values()].some((m) => m.is_suspect);
  return html`<div class="overview">
    <h1 class="hidden">${summary(state)}</h1>
    <section class="panel now"><h2>Now</h2>${isAlone ? alone.get(state)?.alone(state) ?? nothing : nothing}${now(state, isAlone)}</section>
    <section class="panel ringed"><h2>Members as <bdi>${state.observer}</bdi> sees them</h2>${state.route.table ? table.get(state)?.membersTable(state) ?? nothing : picture(state)}
      <button class="quiet small table-switch" aria-pressed=${Boolean(state.route.table)} @click=${() => switchTable(state)}>as a table (T)</button></section>
    <section class="panel traffic"><h2>Last 5 minutes</h2>${traffic(state)}</section>
    <section class="panel last"><h2>Last events</h2>${lastEvents(state)}</section>
  </div>`;
}

/** Whether a member needs attention: it is neither alive nor left some time ago. */
const isUrgent = (state) => (m) => !['alive', 'left'].includes(stateOf(m)) || (stateOf(m) === 'left' && state.now - Date.parse(m.since ?? '') < LATELY);

/** What needs attention. */
function now(state, isAlone) {
  const found = [...state.members.values()].filter(isUrgent(state));
  if (found.length) return urgent.get(state)?.list(state, found) ?? nothing;
  return isAlone ? nothing : html`<p class="calm"><span class="state" data-state="alive"><span class="glyph" aria-hidden="true">✓</span></span> Nothing is wrong in this view.</p>`;
}

/** The view in one sentence. */
function summary(state) {
  const wrong = [...state.members.values()].filter((m) => !['alive', 'left'].includes(stateOf(m)));
  return `${plural(state.members.size, 'member')}; ${wrong.length ? wrong.slice(0, 5).map((m) => `${m.name} ${stateOf(m)}`).join(', ') : 'none of them failed or suspect'}`;
}

function traffic(state) {
  const { samples } = state.store;
  if (samples.length < 2) return html`<p class="faint">The first values come with the next heartbeat, in some seconds.</p>`;
  return firstCharts(samples).map((each) => spark(state, each));
}

function lastEvents(state) {
  const last = state.store.feed.slice(-EVENTS_MAX).reverse();
  return html`<ol class="lines">${last.map((entry) => html`<li><time class="mono faint">${clock(entry.at, true)}</time> ${entry.after ? stateGlyph(entry.after) : html`<span class="glyph" aria-hidden="true">·</span>`}
    <a href=${state.link({ view: 'events', time: Math.round(entry.at) })}><bdi>${sentenceOf(entry)}</bdi></a></li>`)}</ol>`;
}
