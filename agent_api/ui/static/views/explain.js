// @ts-check
/** How soon all members know: by formula, by the vector model, and measured, over one time axis. */
import { html, svg } from '../vendor/lit-html.js';
import { cli } from '../parts.js';
import { informedCurve, missedByGossip, transmitLimit } from '../explain/formula.js';

const WIDTH = 720;
const HEIGHT = 330;
const LEFT = 46;
const BOTTOM = 34;
const SIZES = [5, 10, 20, 30, 50, 100, 200, 300, 500, 1000, 2000, 5000, 10_000];
const DEFAULTS = { profile: 'lan', nodes: 100, loss: 0, failed: 0 };
/** Members that may be missing, on average, when all know in every second run. */
const NONE_LEFT = Math.LN2;
/** Steps of a readable axis, in seconds. */
const STEPS = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50];

/** The computed figures: null while they are loaded, an error if they cannot be. @type {any} */
let tables = null;
let isLoading = false;

async function load(/** @type {any} */ state) {
  isLoading = true;
  try {
    const element = document.getElementById('tables');
    const answer = element ? null : await fetch(new URL('explain/tables.json', document.baseURI));
    if (answer && !answer.ok) throw new Error(`HTTP ${answer.status}`);
    tables = answer ? await answer.json() : JSON.parse(/** @type {Element} */ (element).textContent ?? '');
  } catch (error) {
    tables = error;
  }
  state.redraw();
}

/** What the sliders say, from the address. */
function chosen(/** @type {any} */ { route }) {
  const within = (/** @type {string} */ name, /** @type {number} */ least, /** @type {number} */ most) => {
    const value = route[name] === undefined ? NaN : Number(route[name]);
    return Number.isFinite(value) ? Math.min(most, Math.max(least, value)) : /** @type {any} */ (DEFAULTS)[name];
  };
  const profile = Object.hasOwn(tables.profiles, route.profile ?? '') ? route.profile : DEFAULTS.profile;
  return { profile, nodes: Math.round(within('nodes', 2, 10_000)), loss: within('loss', 0, 0.9), failed: within('failed', 0, 0.9) };
}

export function view(/** @type {any} */ state) {
  if (tables === null && !isLoading) load(state);
  if (tables === null) return html`<p class="loading" role="status">Reading the figures…</p>`;
  if (tables instanceof Error) return html`<p class="banner" role="alert">The figures cannot be read: ${tables.message}.</p>`;
  const choice = chosen(state);
  const settings = tables.profiles[choice.profile];
  const curve = informedCurve(settings, choice.nodes, choice.loss, choice.failed);
  const cell = nearest(choice);
  const model = rowOf('model', cell), world = rowOf('world', cell);
  return html`<div class="explain">
    <h1>How soon do all know?</h1>
    <p class="lead">One member publishes something. It sends it to ${settings.gossip_nodes} others, each of those to ${settings.gossip_nodes} more, and so on;
      each sends it ${transmitLimit(settings, choice.nodes)} times at most. Some packets are lost, and some members have crashed without the others' knowing it yet.</p>
    <div class="grid">
      <section class="panel" aria-labelledby="sliders"><h2 id="sliders">The cluster</h2>${sliders(state, choice)}${numbers(choice, settings, curve)}${crash(choice)}</section>
      <section class="panel" aria-labelledby="curves"><h2 id="curves">Members that know, over time</h2>
        ${plot(curve, model, world)}
        <ul class="legend sources"><li data-source="formula">formula</li><li data-source="model">vector model</li><li data-source="world">protocol code, simulated</li></ul>
        <p class="faint">${cellWords(cell, choice, model, world)}</p>
        ${asTable(curve, othersOf(choice), model, world)}</section>
    </div>
    <p class="commands">More figures, with your own settings: ${cli(state, `swim explain --nodes ${choice.nodes} --profile ${choice.profile}`)}</p>
  </div>`;
}

function sliders(/** @type {any} */ state, /** @type {any} */ choice) {
  const go = (/** @type {string} */ name) => (/** @type {any} */ event) => state.go({ [name]: event.target.value }, { replace: true });
  const place = SIZES.findIndex((size) => size >= choice.nodes);
  const size = (/** @type {any} */ event) => state.go({ nodes: SIZES[Number(event.target.value)] }, { replace: true });
  const share = (/** @type {string} */ name, /** @type {string} */ label) => html`<label class="slider"><span>${label}</span><output>${percent(choice[name])}</output>
    <input type="range" min="0" max="0.75" step="0.05" .value=${String(choice[name])} aria-valuetext=${percent(choice[name])} @input=${go(name)}></label>`;
  return html`<div class="sliders">
    <label class="slider"><span>members</span><output>${choice.nodes.toLocaleString('en')}</output>
      <input type="range" min="0" max=${SIZES.length - 1} step="1" .value=${String(place < 0 ? SIZES.length - 1 : place)} aria-valuetext=${`${choice.nodes} members`} @input=${size}></label>
    ${share('loss', 'packets lost')}${share('failed', 'members crashed')}
    <label class="slider"><span>profile</span><select @change=${go('profile')}>${Object.keys(tables.profiles).map((each) =>
      html`<option ?selected=${each === choice.profile}>${each}</option>`)}</select></label></div>`;
}

function numbers(/** @type {any} */ choice, /** @type {any} */ settings, /** @type {[number, number][]} */ curve) {
  const others = othersOf(choice);
  const missed = missedByGossip(settings, choice.nodes);
  return html`<dl class="numbers">
    <dt>half know after</dt><dd>${seconds(reached(curve, 0.5, others))}</dd>
    <dt>99 % know after</dt><dd>${seconds(reached(curve, 0.99, others))}</dd>
    <dt>all know after</dt><dd>${seconds(reached(curve, 1, others))}</dd>
    <dt>missed by gossip</dt><dd>${missed < 0.01 ? 'none' : missed.toFixed(2)} <span class="faint">without loss, until the next push/pull</span></dd></dl>`;
}

/** The times of a crash, by formula, of the nearest size that was computed. */
function crash(/** @type {any} */ choice) {
  const size = closest(tables.nodes, choice.nodes);
  const [suspected, failed, all] = tables.crash[choice.profile][tables.nodes.indexOf(size)];
  return html`<h3>If one of ${size.toLocaleString('en')} crashes</h3><dl class="numbers">
    <dt>suspected after</dt><dd>${seconds(suspected)}</dd><dt>declared failed after</dt><dd>${seconds(failed)}</dd><dt>all know after</dt><dd>${seconds(all)}</dd></dl>
    <p class="faint">Medians by formula, without loss, where the host refuses streams.</p>`;
}

// -- the computed figures

/** The computed cell that is nearest to what was chosen. */
function nearest(/** @type {any} */ choice) {
  const { profile, nodes, loss, failed } = choice;
  return { profile, nodes: closest(tables.nodes, nodes), loss: closest(tables.losses, loss), failed: closest(tables.failed, failed) };
}

function closest(/** @type {number[]} */ all, /** @type {number} */ wanted) {
  const far = (/** @type {number} */ each) => Math.abs(each > 1 ? Math.log(each / wanted) : each - wanted);
  return all.reduce((best, each) => (far(each) < far(best) ? each : best));
}

/** Seconds and shares of one cell, or null if it was not computed. @returns {[number, number][] | null} */
function rowOf(/** @type {'model' | 'world'} */ source, /** @type {any} */ cell) {
  const row = tables[source][cell.profile].find((/** @type {any[]} */ each) => each[0] === cell.nodes && each[1] === cell.loss && each[2] === cell.failed);
  if (!row) return null;
  return row[3].map((/** @type {number | null} */ at, /** @type {number} */ index) => [at, tables.shares[index]]).filter((/** @type {any} */ [at]) => at !== null);
}

function cellWords(/** @type {any} */ cell, /** @type {any} */ choice, /** @type {any} */ model, /** @type {any} */ world) {
  const what = `${cell.nodes.toLocaleString('en')} members, ${percent(cell.loss)} lost, ${percent(cell.failed)} crashed`;
  const isSame = ['nodes', 'loss', 'failed'].every((name) => cell[name] === choice[name]);
  if (!model && !world) return `Of ${what} only the formula is known.`;
  const of = isSame ? 'this cluster' : `the nearest cluster that was simulated: ${what}`;
  return `Points are medians of ${of}${world ? '' : '; of its size the protocol code itself was not run'}.`;
}

// -- the plot

function plot(/** @type {[number, number][]} */ curve, /** @type {any} */ model, /** @type {any} */ world) {
  const flat = curve.findIndex(([, share], index) => index > 0 && curve[curve.length - 1][1] - share < 1e-4);
  const end = 1.15 * Math.max(curve[Math.max(flat, 1)]?.[0] ?? 0.1, ...[model, world].flatMap((row) => (row ?? []).map((/** @type {any} */ [at]) => at)), 0.05);
  const x = (/** @type {number} */ at) => LEFT + ((WIDTH - LEFT - 12) * at) / end;
  const y = (/** @type {number} */ share) => 10 + (HEIGHT - BOTTOM - 10) * (1 - share);
  const step = STEPS.find((each) => end / each <= 8) ?? 100;
  const ticks = Array.from({ length: Math.floor(end / step) + 1 }, (_, index) => index * step);
  const path = curve.filter(([at]) => at <= end).map(([at, share], index) => `${index ? 'L' : 'M'}${x(at).toFixed(1)} ${y(share).toFixed(1)}`).join('');
  return html`<svg class="plot" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="Share of the members that know, over time; the table below has the same figures">
    ${[0, 0.25, 0.5, 0.75, 1].map((share) => svg`<line class="rule" x1=${LEFT} x2=${WIDTH - 12} y1=${y(share)} y2=${y(share)} /><text x=${LEFT - 8} y=${y(share) + 4} text-anchor="end">${percent(share)}</text>`)}
    ${ticks.map((at) => svg`<line class="rule" x1=${x(at)} x2=${x(at)} y1=${y(0)} y2=${y(0) + 5} /><text x=${x(at)} y=${HEIGHT - 12} text-anchor="middle">${seconds(at)}</text>`)}
    <path class="formula" d=${path} />
    ${(model ?? []).map((/** @type {any} */ [at, share]) => svg`<circle class="model" cx=${x(at)} cy=${y(share)} r="6" />`)}
    ${(world ?? []).map((/** @type {any} */ [at, share]) => svg`<path class="world" d="M${x(at) - 5} ${y(share) - 5}l10 10m0 -10l-10 10" />`)}</svg>`;
}

function asTable(/** @type {[number, number][]} */ curve, /** @type {number} */ others, /** @type {any} */ model, /** @type {any} */ world) {
  const at = (/** @type {any} */ row, /** @type {number} */ share) => row?.find((/** @type {any} */ each) => each[1] === share)?.[0] ?? null;
  return html`<details class="figures"><summary>The same as a table</summary><div class="scroll" tabindex="0" role="region" aria-label="Figures"><table><thead><tr><th scope="col">Share</th><th scope="col" class="number">Formula</th>
    <th scope="col" class="number">Vector model</th><th scope="col" class="number">Protocol code</th></tr></thead>
    <tbody>${tables.shares.map((/** @type {number} */ share) => html`<tr><td>${share === 1 ? 'all' : percent(share)}</td>
      <td class="number">${seconds(reached(curve, share, others))}</td><td class="number">${seconds(at(model, share))}</td><td class="number">${seconds(at(world, share))}</td></tr>`)}</tbody></table></div></details>`;
}

/** When a share of the members knows, or null if never. */
function reached(/** @type {[number, number][]} */ curve, /** @type {number} */ share, /** @type {number} */ others) {
  const missing = Math.max((1 - share) * others, NONE_LEFT) / others;
  return curve.find((each) => 1 - each[1] <= missing)?.[0] ?? null;
}

/** The running members but the one that knows from the beginning. */
function othersOf(/** @type {any} */ choice) {
  return Math.max(1, choice.nodes * (1 - choice.failed) - 1);
}

function seconds(/** @type {number | null} */ value) {
  if (value === null) return html`<span class="faint">not by gossip</span>`;
  if (value === 0) return '0';
  return value < 1 ? `${Number((value * 1000).toPrecision(3))} ms` : `${Number(value.toPrecision(3))} s`;
}

function percent(/** @type {number} */ share) {
  return `${Number((100 * share).toFixed(2))} %`;
}
