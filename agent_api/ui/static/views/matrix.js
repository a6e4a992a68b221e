// @ts-check
/** Every view beside all others: who believes what of whom, and who differs. An agent's page has those of agents that answer. */
import { html, nothing } from '../vendor/lit-html.js';
import { repeat } from '../vendor/directives/repeat.js';
import { cellState, isRunning } from '../cluster.js';
import { AGENT_VALUES, MEASURED, VALUES, beliefOf, differences, disputes, matrixOf, spread, staleAge, wholeOf } from '../disagreement.js';
import { plural, span } from '../format.js';
import { heatMap } from '../heatmap.js';
import { millis, stateMark } from '../member.js';
import { ago, cli, name, stateGlyph } from '../parts.js';
import { reasonOf } from '../sentences.js';
import { GLYPH } from '../store.js';

const CELLS_MAX = 40; // members up to which each cell is an element; of more, a canvas

const CAMPS_MAX = 6; // groups that are named
const NAMED_MAX = 20; // members that a headline names

/** The number of a node in its name, to be short: `node-3` is `3`. */
export const short = (text) => /^node-(\d+)$/.exec(text)?.[1] ?? text;

/** What is chosen, as the link says. */
function choiceOf(state) {
  const { value = 'status', group = '', only } = state.route;
  const isLarge = state.whole.nodes.size > CELLS_MAX;
  const values = state.cluster || !isLarge ? VALUES : AGENT_VALUES;
  return { values, value: values.includes(value) ? value : 'status', isGrouped: group === '1', only: only === undefined ? isLarge : only === '1', isLarge };
}

export function view(state) {
  state.whole = state.cluster ?? wholeOf(state.store);
  const { whole: cluster } = state;
  const choice = choiceOf(state);
  const matrix = state.cluster ? matrixOf(cluster, choice) : kept(cluster, choice);
  if (state.cluster && MEASURED.includes(choice.value)) readMeasured(state);
  const measures = MEASURED.includes(choice.value) ? measuresOf(state, matrix) : null;
  return html`<div class="views">
    <h1 class="hidden">Views of all nodes</h1>
    ${summary(state, matrix, choice)}
    ${state.narrow ? nothing : toolbar(state, choice)}
    <div class="views-body">
      <div class="views-main">
        ${state.narrow && !choice.isLarge ? nothing : choice.isLarge ? heatMap(state, matrix, choice, (observer, subject) => toneOf(matrix, choice.value, measures, observer, subject), sentence, (observer, subject) => state.go({ member: subject, from: observerOf(state, observer) })) : grid(state, matrix, choice, measures)}
        ${state.route.compare ? comparison(state) : nothing}
        ${who(state, matrix)}
      </div>
      ${state.narrow ? nothing : inspector(state, matrix, measures)}
    </div></div>`;
}

let last = { key: /** @type {any[]} */ ([]), matrix: /** @type {any} */ (null) };

/** The views of other agents stay as they are until they are asked again. */
function kept(whole, { value, only, isGrouped }) {
  const key = [whole, value, only, isGrouped];
  if (!key.every((each, index) => each === last.key[index])) last = { key, matrix: matrixOf(whole, { value, only, isGrouped }) };
  return last.matrix;
}

/** A cell with all that is known of it: an agent knows more of its own beliefs than of others'. */
function detailed(state, observer, found) {
  const own = found && !state.cluster && observer === state.store.self ? state.store.members.get(found.name) : null;
  return own && cellState(own) === cellState(found) ? own : found;
}

/** The observer as a link names it. */
const observerOf = (state, name) => (!state.cluster && name === state.store.self ? '' : name);

/** The first thing to read: do all agree? */
function summary(state, matrix, choice) {
  const { groups, running } = matrix;
  const out = [...state.whole.nodes.values()].filter((node) => node.state !== 'running');
  const others = !out.length ? nothing : html` <span class="faint">${state.cluster ? out.map((node) => `${node.name} is ${node.state}`).join(', ') : `${out.length.toLocaleString('en')} without an answer`}</span>`;
  if (!state.cluster && running.length < 2) {
    return html`<p class="headline" role="status"><span class="state" data-state="unknown"><span class="glyph" aria-hidden="true">?</span> Only the view of <bdi>${state.store.self}</bdi> is known</span>${others}</p>
      <p class="faint">Another agent is asked if it advertises its HTTP address: ${cli(state, 'swim agent --http-tag')}</p>`;
  }
  if (groups.length < 2 && matrix.disputed.size) {
    const what = choice.value === 'incarnation' || choice.value === 'tags' ? choice.value : 'suspicions';
    return html`<p class="headline" role="status"><span class="state" data-state="suspect"><span class="glyph" aria-hidden="true">◐</span> The same members, with different ${what}</span>
      <span>of ${[...matrix.disputed].slice(0, NAMED_MAX).map(short).join(' ')}${matrix.disputed.size > NAMED_MAX ? ' …' : ''}</span>${others}</p>`;
  }
  if (groups.length < 2) return html`<p class="headline" role="status"><span class="state" data-state="alive"><span class="glyph" aria-hidden="true">≡</span> ${plural(running.length, state.cluster ? 'running node' : 'agent')} agree</span>${others}</p>`;
  return html`<p class="headline" role="status"><span class="state" data-state="suspect"><span class="glyph" aria-hidden="true">≢</span> ${groups.length} different views</span>
    ${groups.slice(0, CAMPS_MAX).map((names, index) => html`<span class="camp" data-camp=${index % 6}><span class="hidden">group ${index + 1}: </span>${names.map(short).join(' ')}</span>`)}${groups.length > CAMPS_MAX ? html`<span class="faint">and ${groups.length - CAMPS_MAX} more</span>` : nothing}${others}</p>`;
}

function toolbar(state, choice) {
  const set = (changes) => state.go(changes, { replace: true });
  return html`<div class="toolbar">
    <span class="group" role="group" aria-label="What a cell shows">${choice.values.map((each) =>
      html`<button class="small" aria-pressed=${each === choice.value} @click=${() => set({ value: each === 'status' ? '' : each })}>${each}${each === 'RTT' ? ' ms' : ''}</button>`)}</span>
    <label class="tick"><input type="checkbox" .checked=${choice.only} @change=${(event) => set({ only: event.target.checked ? '1' : '0' })}> only what differs</label>
    <label class="tick"><input type="checkbox" .checked=${choice.isGrouped} @change=${(event) => set({ group: event.target.checked ? '1' : '' })}> reorder into groups <kbd>g</kbd></label>
  </div>`;
}

function grid(state, matrix, choice, measures) {
  const { rows, columns } = matrix;
  const { whole: cluster } = state;
  if (!columns.length) return html`<p class="panel faint">Nothing differs. Untick “only what differs” to see every cell.</p>`;
  const edge = (list, index) => choice.isGrouped && index > 0 && matrix.groupOf(list[index]) !== matrix.groupOf(list[index - 1]);
  return html`<div class="scroll matrix-scroll" tabindex="-1"><table class="matrix" data-value=${choice.value} role="grid" aria-label="Rows are observers, columns members" @keydown=${moves}>
    <thead><tr><th scope="col" class="corner">seen by <span aria-hidden="true">↓</span></th>${columns.map((subject, index) =>
      html`<th scope="col" class="subject" data-edge=${edge(columns, index)} data-disputed=${matrix.disputed.has(subject)} title=${subject}><bdi>${short(subject)}</bdi></th>`)}
      <th scope="col" class="rest">differs from the majority</th></tr></thead>
    <tbody>${repeat(rows, (observer) => observer, (observer, index) => row(state, matrix, choice, observer, measures, { isEdge: edge(rows, index), isFirst: index === 0, edge }))}</tbody>
    ${state.cluster ? html`<tfoot><tr><th scope="row" class="observer-head"><span class="faint">really</span></th>${columns.map((subject, index) => {
      const process = cluster.nodes.get(subject)?.state ?? 'unknown';
      const word = process === 'running' ? 'alive' : process;
      return html`<td class="really" data-edge=${edge(columns, index)} data-state=${word} title="${subject} is ${process}"><span aria-hidden="true">${process === 'running' ? 'up' : GLYPH[process] ?? '·'}</span><span class="hidden">${process}</span></td>`;
    })}<td class="rest faint">what each process does</td></tr></tfoot>` : nothing}</table></div>`;
}

function row(state, matrix, choice, observer, measures, { isEdge, isFirst, edge }) {
  const { whole: cluster } = state;
  const node = cluster.nodes.get(observer);
  const hasView = cluster.views.has(observer) && node.state !== 'killed' && node.state !== 'left';
  const differing = matrix.differing(observer);
  const pick = (event) => (event.shiftKey ? compare(state, observer) : state.go({ from: observerOf(state, observer) }));
  const isChosen = (state.route.compare ?? '').split(',').includes(observer);
  return html`<tr data-observer=${observer} data-process=${node.state} data-edge=${isEdge} data-current=${observer === state.observer}>
    <th scope="row" class="observer-head"><button class="plainly" tabindex="-1" title="Show what ${observer} sees everywhere; with Shift: compare" aria-pressed=${isChosen} ?disabled=${node.state === 'silent'} @click=${pick}>
      ${state.cluster ? stateGlyph(node.state === 'running' ? 'alive' : node.state) : nothing} ${name(observer)}</button></th>
    ${matrix.columns.map((subject, index) => cell(state, matrix, choice, observer, subject, measures, {
      isEdge: edge(matrix.columns, index), hasView, isTabStop: isFirst && index === 0 && !state.ui.cell }))}
    <td class="rest">${node.state === 'running'
      ? differing.length ? html`<b>${differing.map(short).join(' ')}</b>${alone(state, matrix, observer, differing)}` : html`<span class="faint">–</span>`
      : node.state === 'silent' ? html`<span class="faint"><bdi>${node.error}</bdi></span>` : html`<span class="faint">${node.state === 'paused' ? 'frozen' : node.state} ${ago(state, node.since, ' ago')}</span>`}</td></tr>`;
}

/** Whether one observer is the only one that believes something, and for how long. */
function alone(state, matrix, observer, differing) {
  const own = differing.filter((subject) => {
    const word = cellState(matrix.cell(observer, subject));
    return matrix.running.every((other) => other === observer || cellState(matrix.cell(other, subject)) !== word);
  });
  if (!own.length) return nothing;
  const since = Math.max(...own.map((subject) => Date.parse(matrix.cell(observer, subject)?.since ?? '')).filter(Number.isFinite));
  return html` <span class="faint">← alone with it${Number.isFinite(since) ? html` for ${span(state.now - since)}` : nothing}</span>`;
}

function cell(state, matrix, choice, observer, subject, measures, { isEdge, hasView, isTabStop }) {
  const found = matrix.cell(observer, subject);
  const word = hasView ? cellState(found) : 'none';
  const isAt = state.ui.cell?.[0] === observer && state.ui.cell?.[1] === subject;
  const look = () => { state.ui.cell = [observer, subject]; state.redraw(); };
  const open = () => hasView && state.go({ member: subject, from: observerOf(state, observer) });
  const measure = hasView && observer !== subject ? measures?.of(observer, subject) : null;
  return html`<td role="gridcell" tabindex=${isAt || isTabStop ? 0 : -1} data-at=${isAt} data-state=${word} data-edge=${isEdge} data-self=${observer === subject} data-stale=${measure ? measure.isStale || (choice.value === 'RTT' && measure.rtt === null) : false}
    data-differs=${matrix.differs(observer, subject)} aria-label="${sentence(state, matrix, observer, subject)}${measure ? `; ${measure.words}` : ''}"
    @mouseenter=${look} @focus=${look} @click=${open} @keydown=${(event) => event.key === 'Enter' && open()}
    ><span class="box" aria-hidden="true">${hasView ? content(found, choice.value, measure, observer === subject) : nothing}</span></td>`;
}

/** What one cell shows of the chosen value. */
function content(found, value, measure, isSelf) {
  if (!found) return '·';
  if (value === 'status') return GLYPH[cellState(found)] ?? '·';
  if (value === 'incarnation') return found.incarnation;
  if (value === 'tags') return beliefOf(found, value).slice(0, 4) || '…';
  if (isSelf || !measure) return '–';
  if (measure.isStale) return html`<span class="none">no ack<br>${measure.age === null ? 'yet' : span(measure.age)}</span>`;
  if (value === 'last ack') return span(measure.age);
  if (measure.rtt === null) return html`<span class="none">relayed</span>`;
  return html`<span class="rtt" data-off=${measure.off}>${millis(measure.rtt)}</span>`;
}

/** The state whose colour a point of the picture of many members has, for the value that is chosen. */
function toneOf(matrix, value, measures, observer, subject) {
  const found = matrix.cell(observer, subject);
  if (value === 'status' || !found) return cellState(found);
  if (!measures) return matrix.differs(observer, subject) ? 'suspect' : 'alive';
  const measure = observer === subject ? null : measures.of(observer, subject);
  return !measure ? 'alive' : measure.isStale ? 'left' : { far: 'failed', some: 'suspect', none: 'alive' }[measure.off];
}

/** What an observer believes of a member, why, and since when, as a sentence. */
export function sentence(state, matrix, observer, subject) {
  const node = state.whole.nodes.get(observer);
  const found = detailed(state, observer, matrix.cell(observer, subject));
  if (node?.state === 'silent') return `${observer} gives no view: ${node.error}`;
  if (!state.whole.views.has(observer)) return `${observer} is ${node?.state ?? 'unknown'}: it has no view`;
  if (!found) return `${observer} does not list ${subject}`;
  const since = Date.parse(found.since ?? '');
  const age = Number.isFinite(since) ? ` since ${span(state.now - since)}` : '';
  const why = found.reason ? `: ${reasonOf(found.reason)}` : '';
  const frozen = isRunning(state.whole, observer) ? '' : ` (its view is frozen: it is ${node?.state})`;
  return `${observer} believes ${subject} ${cellState(found)}${age}${why}${frozen}`;
}

/** The cell that is pointed at, in words; otherwise what can be done. */
function inspector(state, matrix, measures) {
  const [observer, subject] = state.ui.cell ?? [];
  const found = observer && detailed(state, observer, matrix.cell(observer, subject));
  return html`<aside class="panel inspector" aria-label="The cell that is pointed at">
    ${found
      ? html`<h2>${short(observer)} <span aria-hidden="true">→</span> ${short(subject)}</h2>
        <p class="belief">${name(observer)} believes ${name(subject)} ${stateMark(cellState(found))}</p>
        <dl class="facts"><dt>since</dt><dd>${ago(state, found.since, ' ago')}</dd>
          <dt>why</dt><dd><bdi>${found.reason ? reasonOf(found.reason) : state.cluster || found.digest !== undefined ? 'from its start' : `only ${observer} knows`}</bdi></dd>
          <dt>incarnation</dt><dd>${found.incarnation}</dd><dt>tags</dt><dd class="mono">${beliefOf(matrix.cell(observer, subject), 'tags') || '…'}</dd>
          ${measures && observer !== subject ? html`<dt>measured</dt><dd>${measures.of(observer, subject).words}</dd>` : nothing}
          <dt>most say</dt><dd>${matrix.differs(observer, subject) ? html`<b class="differs">${matrix.majority.get(subject)}</b>` : 'the same'}</dd></dl>
        <p><button class="small" @click=${() => state.go({ member: subject, from: observerOf(state, observer) })}>Its reasons</button></p>`
      : observer
        ? html`<h2>${short(observer)} <span aria-hidden="true">→</span> ${short(subject)}</h2><p>${sentence(state, matrix, observer, subject)}.</p>`
        : html`<h2>Point at a cell</h2><p class="faint">A row is what one node believes of all others. An outlined cell is not what most observers believe.</p>
          <p class="faint">Click a cell for its reasons, a row's name to see through its eyes; Shift-click two rows to compare them.</p>`}
    ${measures
      ? html`<ul class="legend"><li><span class="sample"></span> no ack in two rounds of probes</li>
        <li><span class="rtt" data-off="some">RTT</span> one standard deviation above the mean, <span class="rtt" data-off="far">RTT</span> two</li></ul>`
      : html`<ul class="legend">${['alive', 'suspect', 'leaving', 'left', 'failed'].map((each) => html`<li>${stateMark(each)}</li>`)}</ul>`}</aside>`;
}

/** Disagreement as sentences: all that a narrow screen shows, and the same facts beside the picture. */
function who(state, matrix) {
  if (matrix.running.length < 2) return nothing;
  const list = disputes(state.whole, matrix);
  if (!list.length) return state.narrow ? html`<p class="panel">All believe the same of every member.</p>` : nothing;
  return html`<section class="panel disputes"><h2>Who differs</h2><ul>${list.slice(0, 50).map(({ subject, word, observers, since, sides }) =>
    html`<li><a href=${state.link({ member: subject, from: observerOf(state, observers[0]) })}>${observers.length === 1 ? html`${name(observers[0])} alone believes` : html`${observers.map(short).join(', ')} believe`}
      ${name(subject)} ${stateMark(word)}${Number.isFinite(since) ? html` <span class="faint">${span(state.now - since)}</span>` : nothing}</a>
      <span class="faint">– ${sides.slice(1).map(([other, names]) => `${names.length} believe ${other}`).join(', ')}</span></li>`)}</ul>
    ${list.length > 50 ? html`<p class="faint">and ${list.length - 50} more</p>` : nothing}</section>`;
}

// -- two rows

function compare(state, observer) {
  const chosen = (state.route.compare ?? '').split(',').filter((each) => each && each !== observer);
  state.go({ compare: [...chosen.slice(-1), observer].join(',') });
}

function comparison(state) {
  const [one, other] = state.route.compare.split(',');
  const close = html`<button class="quiet" aria-label="Close the comparison" @click=${() => state.go({ compare: '' })}>✕</button>`;
  if (!other) return html`<section class="panel line"><span>Shift-click a second row to compare it with ${name(one)}.</span><span class="grow"></span>${close}</section>`;
  const list = differences(state.whole, one, other);
  const text = list.map(({ name: subject, value, left, right }) => [subject, value, left, right].join('\t')).join('\n');
  return html`<section class="panel comparison"><header class="line"><h2>${name(one)} and ${name(other)}</h2><span class="grow"></span>
    ${list.length ? html`<button class="small" @click=${() => state.copy(text)}>copy as text</button>` : nothing}${close}</header>
    ${list.length
      ? html`<table><thead><tr><th scope="col">member</th><th scope="col">value</th><th scope="col">${one}</th><th scope="col">${other}</th></tr></thead><tbody>${list.map((each) =>
          html`<tr><td>${name(each.name)}</td><td>${each.value}</td>${[each.left, each.right].map((side) => html`<td>${each.value === 'status' ? stateMark(side) : html`<span class="mono">${side}</span>`}</td>`)}</tr>`)}</tbody></table>`
      : html`<p>They believe the same of every member.</p>`}</section>`;
}

// -- what is measured: of a cluster read when it is shown, and again every 5 s; agents give it with their views

const MEASURED_MS = 5000;

function readMeasured(state) {
  const known = state.ui.measured;
  if (known && (known.isBusy || performance.now() - known.at < MEASURED_MS)) return;
  state.ui.measured = { ...known, isBusy: true, at: performance.now() };
  state.askCluster('v1/cluster/measured').then(
    (answer) => { state.ui.measured = { views: answer.views, isBusy: false, at: performance.now() }; },
    (error) => { state.ui.measured = { ...known, error, isBusy: false, at: performance.now() }; },
  ).finally(state.redraw);
}

/**
 * What was measured between two members, in words too: how old the last ack is, and how far its round trip is from the
 * mean of all. A cell without either is stale: it says since when.
 */
function measuresOf(state, matrix) {
  const known = (observer, subject) => (state.cluster ? state.ui.measured?.views?.[observer]?.[subject] : matrix.cell(observer, subject));
  const isWell = (observer) => (subject) => subject !== observer && cellState(matrix.cell(observer, subject)) === 'alive';
  const pairs = matrix.running.flatMap((observer) => matrix.columns.filter(isWell(observer)).map((subject) => known(observer, subject))).filter((each) => each?.last_ack);
  const ageOf = (measured) => (measured?.last_ack ? Math.max(0, state.now - Date.parse(measured.last_ack)) : null);
  const limit = staleAge(pairs.map(ageOf));
  const { mean, deviation } = spread(pairs.map((each) => each.rtt).filter((each) => each !== null));
  return {
    of(observer, subject) {
      const measured = known(observer, subject);
      const [age, rtt] = [ageOf(measured), measured?.rtt ?? null];
      const isStale = age === null || age > limit;
      const over = deviation ? (rtt - mean) / deviation : 0;
      const words = age === null ? 'no ack yet' : isStale ? `no ack for ${span(age)}` : `last ack ${span(age)} ago, ${rtt === null ? 'through a relay' : `${millis(rtt)} ms`}`;
      return { age, rtt, isStale, words, off: over > 2 ? 'far' : over > 1 ? 'some' : 'none' };
    },
  };
}

// -- keyboard: the grid is one tab stop; arrows move in it

const STEPS = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0], h: [0, -1], l: [0, 1], k: [-1, 0], j: [1, 0] };

function moves(event) {
  const step = STEPS[event.key];
  const at = event.target.closest('[role=gridcell]');
  if (!step || !at || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  event.stopPropagation();
  const rows = [...at.closest('tbody').rows];
  const cells = (of) => [...of.querySelectorAll('[role=gridcell]')];
  const [y, x] = [rows.indexOf(at.parentElement), cells(at.parentElement).indexOf(at)];
  const target = cells(rows[Math.max(0, Math.min(rows.length - 1, y + step[0]))])[x + step[1]] ?? at;
  target.focus();
  target.scrollIntoView({ block: 'nearest', inline: 'nearest' });
}

/** The keys of this view. */
export function onKey(state, event) {
  if (event.key === 'g') state.go({ group: state.route.group === '1' ? '' : '1' }, { replace: true });
  else if (event.key === 'x' && state.ui.cell) compare(state, state.ui.cell[0]);
  else return false;
  return true;
}
