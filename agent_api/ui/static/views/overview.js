// @ts-check
/** The cluster at a glance: the picture, what is wrong now, traffic, the last events. */
import { html, nothing } from '../vendor/lit-html.js';
import { repeat } from '../vendor/directives/repeat.js';
import { askJoin } from '../actions.js';
import { countdown, path } from '../detail.js';
import { clock, plural, shell, span } from '../format.js';
import { chartsOf } from '../metrics.js';
import { ago, cli, name, stateGlyph } from '../parts.js';
import { accusersOf, draw, picture } from '../ring.js';
import { reasonOf, sentenceOf } from '../sentences.js';
import { spark } from '../spark.js';
import { SEVERITY, stateOf } from '../store.js';

export const title = 'Overview';

const NOW_MAX = 8;
const MAP_AGE = 30_000; // ms
const EVENTS_MAX = 6;
const LATELY = 600_000; // ms that a member that has left stays under "Now"
const STEPS = ['listening', 'joined', 'converged'];

export { draw as onDrawn };

const TABLE_MAX = 200;

const switchTable = (state) => state.go({ table: state.route.table ? '' : '1' }, { replace: true });

export function onKey(state, event) {
  if (event.key.toLowerCase() !== 't') return false;
  switchTable(state);
  return true;
}

/** What the picture shows, as a table: states, and who accuses whom until when. */
function membersTable(state) {
  const list = [...state.members.values()].sort((a, b) => SEVERITY[stateOf(a)] - SEVERITY[stateOf(b)] || (a.name < b.name ? -1 : 1));
  const left = (m) => (m.suspicion ? `, failed in ${span(Date.parse(m.suspicion.deadline) - state.now)}` : '');
  return html`<div class="scroll"><table><thead><tr><th scope="col">Name</th><th scope="col">Status</th><th scope="col">Since</th><th scope="col">Suspected by</th></tr></thead>
    <tbody>${list.slice(0, TABLE_MAX).map((m) => html`<tr><td><a href=${state.link({ member: m.name })}>${name(m.name)}</a></td><td>${stateGlyph(stateOf(m))} ${stateOf(m)}</td><td>${ago(state, m.since)}</td>
      <td>${m.is_suspect ? html`<bdi>${accusersOf(state, m).join(', ')}</bdi>${left(m)}` : '–'}</td></tr>`)}</tbody></table></div>
    ${list.length > TABLE_MAX ? html`<p><a href=${state.link({ view: 'members', table: '' })}>and ${(list.length - TABLE_MAX).toLocaleString('en')} more</a></p>` : nothing}`;
}

export function view(state) {
  const { members } = state;
  const isAlone = [...members.values()].filter((m) => m.status === 'alive').length <= 1;
  if (state.route.layout === 'rtt') readCoordinates(state);
  state.isMoving = [...members.values()].some((m) => m.is_suspect);
  return html`<div class="overview">
    <h1 class="hidden">${summary(state)}</h1>
    <section class="panel now"><h2>Now</h2>${isAlone ? alone(state) : nothing}${now(state)}</section>
    <section class="panel ringed"><h2>Members as <bdi>${state.observer}</bdi> sees them</h2>${state.route.table ? membersTable(state) : picture(state)}
      <button class="quiet small table-switch" aria-pressed=${Boolean(state.route.table)} @click=${() => switchTable(state)}>as a table (T)</button></section>
    <section class="panel traffic"><h2>Last 5 minutes</h2>${traffic(state)}</section>
    <section class="panel last"><h2>Last events</h2>${lastEvents(state)}</section>
  </div>`;
}

/** Coordinates drift slowly: they are read for the map, and once more when it is older than half a minute. */
async function readCoordinates(state) {
  if (performance.now() - (state.ui.coordinatesAt ?? -Infinity) < MAP_AGE) return;
  state.ui.coordinatesAt = performance.now();
  const answer = await state.ask('v1/swim/coordinates').catch(() => null);
  state.coordinates = answer && Object.fromEntries(answer.coordinates.map((each) => [each.name, each.coordinate]));
  state.redraw();
}

/** The view in one sentence. */
function summary(state) {
  const wrong = [...state.members.values()].filter((m) => !['alive', 'left'].includes(stateOf(m)));
  return `${plural(state.members.size, 'member')}; ${wrong.length ? wrong.slice(0, 5).map((m) => `${m.name} ${stateOf(m)}`).join(', ') : 'none of them failed or suspect'}`;
}

/** What needs attention, the most urgent first. */
function now(state) {
  const isNow = (m) => !['alive', 'left'].includes(stateOf(m)) || (stateOf(m) === 'left' && state.now - Date.parse(m.since ?? '') < LATELY);
  const urgency = (m) => (stateOf(m) === 'suspect' ? -1 : SEVERITY[stateOf(m)]);
  const found = [...state.members.values()].filter(isNow).sort((a, b) => urgency(a) - urgency(b) || Date.parse(b.since ?? '') - Date.parse(a.since ?? '') || (a.name < b.name ? -1 : 1));
  if (!found.length) return html`<p class="calm"><span class="state" data-state="alive"><span class="glyph" aria-hidden="true">✓</span></span> Nothing is wrong in this view.</p>`;
  const more = found.length - NOW_MAX;
  return html`<ul class="now-list">${repeat(found.slice(0, NOW_MAX), (m) => m.name, (m) => html`<li data-state=${stateOf(m)} data-cli="swim why ${shell(m.name)}"><a href=${state.link({ member: m.name })}>${stateGlyph(stateOf(m))} ${name(m.name)}
      <span>${headline(state, m)}</span></a>${m.suspicion ? countdown(state, m.suspicion) : nothing}${m.is_suspect && m.probe && m.probe.direct !== 'ack' ? html`<p class="faint">${path(m.probe)}</p>` : nothing}</li>`)}</ul>
    ${more > 0 ? html`<p><a href=${state.link({ view: 'members', filter: '-status:alive', member: '' })}>and ${more.toLocaleString('en')} more</a></p>` : nothing}`;
}

function headline(state, m) {
  const line = state.store.latest.get(m.name);
  const why = m.reason ?? (line?.kind === 'member' ? line : null);
  if (m.is_suspect) return html`suspected by <bdi>${accusersOf(state, m).join(', ') || 'a member'}</bdi> for ${ago(state, m.since)}`;
  return html`${stateOf(m)} ${m.since ? ago(state, m.since, ' ago') : nothing} ${why ? html`<span class="faint"><bdi>${reasonOf(why)}</bdi></span>` : nothing}`;
}

/** A node without others: what it tries, and what would help. */
function alone(state) {
  const seeds = state.info?.seeds ?? [];
  const readiness = state.store.pulse?.readiness ?? state.info?.readiness;
  const reached = STEPS.indexOf(readiness);
  return html`<div class="alone"><p><b><bdi>${state.store.self}</bdi></b> is alone.${seeds.length ? ` It looks for ${plural(seeds.length, 'seed')}:` : ' It has no seeds to look for.'}</p>
    ${seeds.length ? html`<ul>${seeds.map((seed) => html`<li><code>${seed.address}</code> ${seed.error ? html`<bdi>${seed.error}</bdi>` : 'not tried yet'}${seed.age === null ? nothing : ` (${span(seed.age * 1000)} ago)`}</li>`)}</ul>` : nothing}
    ${reached >= 0 ? html`<ol class="steps" aria-label="Readiness: ${readiness}">${STEPS.map((step, index) => html`<li data-done=${index <= reached}>${step}</li>`)}</ol>` : nothing}
    <div class="action"><button class="primary" @click=${() => askJoin(state)}>Join…</button>${cli(state, 'swim join HOST:PORT')}</div></div>`;
}

function traffic(state) {
  const { samples } = state.store;
  if (samples.length < 2) return html`<p class="faint">The first values come with the next heartbeat, in some seconds.</p>`;
  const charts = chartsOf(samples);
  return [charts.traffic, charts.health, charts.suspicions, charts.queue].map((each) => spark(state, each));
}

function lastEvents(state) {
  const last = state.store.feed.slice(-EVENTS_MAX).reverse();
  return html`<ol class="lines">${repeat(last, (entry) => entry.number, (entry) => html`<li><time class="mono faint">${clock(entry.at, true)}</time> ${entry.after ? stateGlyph(entry.after) : html`<span class="glyph" aria-hidden="true">·</span>`}
    <a href=${state.link({ view: 'events', time: Math.round(entry.at) })}><bdi>${sentenceOf(entry)}</bdi></a></li>`)}</ol>`;
}
