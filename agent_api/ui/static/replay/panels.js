// @ts-check
/** The panels beside the ring: a node's table, the why panel, the current record, and two traces compared. */
import { html, nothing } from '../vendor/lit-html.js';
import { repeat } from '../vendor/directives/repeat.js';
import { stateMark } from '../member.js';
import { name } from '../parts.js';
import { entryWords, isUp } from './trace.js';
import { behindPacket, why } from './why.js';
import { clock, lineOf, list, messageWords } from './words.js';

/** @typedef {import('./player.js').Player} Player */
/** @typedef {import('./trace.js').Trace} Trace */

/** The order of names: `n9` stands before `n10`. A collator of the browser would be loaded for longer than all is read. */
function byName(/** @type {string} */ a, /** @type {string} */ b) {
  const [one, other] = [a, b].map((text) => text.split(/(\d+)/));
  for (const [index, part] of one.entries()) {
    const beside = other[index];
    if (part === beside) continue;
    if (beside === undefined) return 1;
    return (index % 2 && Number(part) - Number(beside)) || (part < beside ? -1 : 1);
  }
  return one.length - other.length;
}
/** Records shown before and after the current one. */
const AROUND = 4;
const SHOWN_MAX = 12;

// -- a node's table

/** @param {Player} player */
export function tableOf(player) {
  const trace = /** @type {Trace} */ (player.trace);
  const state = trace.state(player.count);
  const own = state.get(player.observer), other = player.against ? state.get(player.against) : undefined;
  const members = [...new Set([...(own?.table.keys() ?? []), ...(other?.table.keys() ?? [])])].sort(byName);
  const choose = (/** @type {'observer' | 'against'} */ which) => (/** @type {any} */ event) => {
    player[which] = event.target.value;
    player.changed();
  };
  return html`<section class="panel table-at" aria-labelledby="table-at">
    <div class="line"><h2 id="table-at">Table of</h2>
      <select aria-label="Observer" @change=${choose('observer')}>${options(trace, player.observer)}</select>
      <span class="faint">at ${clock(player.at)}, beside</span>
      <select aria-label="Compare with" @change=${choose('against')}><option value="" ?selected=${!player.against}>no other</option>${options(trace, player.against)}</select></div>
    ${isUp(own)
      ? html`<div class="scroll" tabindex="0" role="region" aria-label="Table of ${player.observer}"><table>
        <thead><tr><th scope="col">Member</th><th scope="col">Status</th><th scope="col" class="number">Inc.</th><th scope="col" class="number">Since</th>
          ${player.against ? html`<th scope="col" class="wide">At ${name(player.against)}</th>` : html`<th scope="col">Process</th><th scope="col">Why</th>`}</tr></thead>
        <tbody>${repeat(members, (each) => each, (each) => row(player, state, each))}</tbody></table></div>`
      : html`<p class="faint">${player.observer || 'No node'} has no table: its process is ${own?.process ?? 'not started'}${own ? ` since ${clock(own.since)}` : ''}.</p>`}
  </section>`;
}

/** @param {Trace} trace @param {string} chosen */
function options(trace, chosen) {
  return [...trace.nodes].sort(byName).map((node) => html`<option value=${node} ?selected=${node === chosen}>${node}</option>`);
}

/** @param {Player} player @param {Map<string, import('./trace.js').NodeState>} state @param {string} member */
function row(player, state, member) {
  const trace = /** @type {Trace} */ (player.trace);
  const entry = state.get(player.observer)?.table.get(member);
  const other = player.against ? state.get(player.against)?.table.get(member) : undefined;
  const differs = player.against && (entry?.status !== other?.status || entry?.incarnation !== other?.incarnation);
  const process = state.get(member)?.process;
  return html`<tr data-member=${member} data-state=${entry?.status ?? 'unknown'} ?data-differs=${differs}>
    <td>${name(member)}</td>
    <td>${entry ? html`<button class="quiet state-button" title="Why?" @click=${() => player.explain(entry.index)}>${stateMark(entry.status)}</button>` : stateMark('unknown')}</td>
    <td class="number">${entry?.incarnation ?? '–'}</td><td class="number">${entry ? clock(entry.since) : '–'}</td>
    ${player.against
      ? html`<td>${stateMark(other?.status ?? 'unknown')}${other && other.incarnation !== entry?.incarnation ? html` <span class="faint">@${other.incarnation}</span>` : nothing}${
          differs ? html` <span class="chip" data-kind="warn">differs</span>` : nothing}</td>`
      : html`<td class="faint">${process ?? '–'}</td><td class="wide faint" title=${entry ? entryWords(trace, entry) : ''}>${entry ? entryWords(trace, entry) : ''}</td>`}</tr>`;
}

// -- why

/**
 * The chain of causes of one transition is walked once.
 *
 * @type {{trace: Trace | null, index: number, steps: import('./why.js').Step[]}}
 */
let walked = { trace: null, index: -1, steps: [] };

/** @param {Player} player */
export function whyPanel(player) {
  const trace = /** @type {Trace} */ (player.trace);
  const { subject } = player;
  if (subject !== null && (walked.trace !== trace || walked.index !== subject)) walked = { trace, index: subject, steps: why(trace, subject) };
  return html`<section class="panel why" aria-labelledby="why"><h2 id="why">Why</h2>
    ${subject === null
      ? html`<p class="faint">No node has changed its table yet. Play, or step to the first transition with Shift →.</p>`
      : html`<ol class="chain">${walked.steps.map((step, index) => html`<li data-kind=${step.kind} data-state=${step.kind === 'transition' ? step.after : ''}>
          ${link(player, step.index, step.text, step.kind === 'transition')}
          ${step.parts.length ? html`<details ?open=${index < 3}><summary>${step.parts.length} packets of the round</summary>
            <ol class="parts">${step.parts.map((part) => html`<li>${link(player, part.index, part.text, false)}</li>`)}</ol></details>` : nothing}</li>`)}</ol>
        ${walked.steps.at(-1)?.kind === 'fault' ? nothing : html`<p class="faint">The trace shows no cause before this.</p>`}`}
  </section>`;
}

/** A record as a link to its moment. @param {Player} player @param {number} index @param {string} text @param {boolean} explains */
function link(player, index, text, explains) {
  const trace = /** @type {Trace} */ (player.trace);
  const go = () => {
    const { subject } = player;
    player.pause();
    player.seekRecord(index);
    player.explained = explains ? index : subject;
    player.changed();
  };
  return html`<button class="link" @click=${go}><span class="at">${trace.times[index].toFixed(3)}</span> <bdi>${text}</bdi></button>`;
}

// -- the current record

/** @param {Player} player */
export function recordPanel(player) {
  const trace = /** @type {Trace} */ (player.trace);
  const current = player.count - 1;
  const from = Math.max(0, Math.min(current - AROUND, trace.records.length - 2 * AROUND - 1));
  const around = trace.records.slice(from, from + 2 * AROUND + 1).map((record, offset) => ({ record, index: from + offset }));
  return html`<section class="panel records-at" aria-labelledby="record"><h2 id="record">Records ${
      current >= 0 ? html`<span class="faint">line ${trace.numbers[current].toLocaleString('en')}</span>` : nothing}</h2>
    <ol class="around">${around.map(({ record, index }) => html`<li data-kind=${record.kind} aria-current=${index === current ? 'true' : 'false'}>${
      link(player, index, lineOf(record), record.kind === 'event')}</li>`)}</ol>
    ${current >= 0 ? detail(player, current) : nothing}</section>`;
}

/** @param {Player} player @param {number} index */
function detail(player, index) {
  const trace = /** @type {Trace} */ (player.trace);
  const record = trace.records[index];
  const messages = list(record.messages);
  const flight = messages.length ? trace.flights.find((each) => each.index === index || each.end === index) : undefined;
  const causes = flight && record.kind === 'send' ? behindPacket(trace, index) : [];
  const results = flight && flight.fate === 'arrived' ? effects(trace, flight) : [];
  return html`${messages.length ? html`<h3>${messages.length} ${messages.length === 1 ? 'message' : 'messages'}${record.bytes ? html` <span class="faint">in ${record.bytes} bytes</span>` : nothing}</h3>` : nothing}
    ${messages.map((message) => html`<details class="message"><summary><span class="packet" data-packet=${message.type}>${message.type}</span> <bdi>${messageWords(message)}</bdi></summary>
      <pre tabindex="0">${JSON.stringify(message, null, 1)}</pre></details>`)}
    ${flight ? html`<p class="faint">${flight.fate === 'arrived' ? `arrives ${clock(flight.arrives, 6)}, after ${((flight.arrives - flight.sent) * 1000).toFixed(3)} ms` : fateWords(flight.fate)}</p>` : nothing}
    ${causes.length ? html`<h3>Why it says so</h3><ol class="around">${causes.slice(0, SHOWN_MAX).map((each) => html`<li>${link(player, each.index, each.text, true)}</li>`)}</ol>` : nothing}
    ${results.length ? html`<h3>What it changed</h3><ol class="around">${results.slice(0, SHOWN_MAX).map((each) => html`<li>${link(player, each, lineOf(trace.records[each]), true)}</li>`)}</ol>` : nothing}`;
}

/** @param {string} fate */
function fateWords(fate) {
  return fate === 'unheard' ? 'sent, but no process was there to read it' : `did not arrive: ${fate}`;
}

/** The transitions of the receiver at the moment of an arrival. @param {Trace} trace @param {import('./trace.js').Flight} flight */
function effects(trace, flight) {
  const found = [];
  const at = trace.times[flight.end];
  for (let index = flight.end + 1; index < trace.records.length && trace.times[index] === at; index += 1) {
    const record = trace.records[index];
    if (record.kind === 'recv' && record.to === flight.target) break;
    if (record.kind === 'event' && record.node === flight.target) found.push(index);
  }
  return found;
}

// -- two traces

/** @param {Player} player */
export function comparison(player) {
  const trace = /** @type {Trace} */ (player.trace), { other, difference } = player;
  if (!other) return nothing;
  if (!difference) return html`<section class="panel compare"><h2>Compared with ${other.name}</h2><p>The same: ${(trace.records.length + 1).toLocaleString('en')} lines.</p></section>`;
  const side = (/** @type {any} */ record) => (record ? html`<span class="at">${record.at?.toFixed(6) ?? ''}</span> <bdi>${lineOf(record)}</bdi>` : 'ends here');
  const shown = (/** @type {any} */ value) => JSON.stringify(value);
  return html`<section class="panel compare" aria-labelledby="compare"><h2 id="compare">Compared with ${other.name}</h2>
    ${difference.made.map((each) => html`<p class="faint">made with ${each.place}: ${shown(each.left)} | ${shown(each.right)}</p>`)}
    <p><button class="link" @click=${() => player.seekRecord(Math.min(difference.index, trace.records.length - 1))}>The runs diverge at line ${difference.line.toLocaleString('en')}</button></p>
    <ul class="sides"><li data-side="left"><b>−</b> ${side(difference.left)}</li><li data-side="right"><b>+</b> ${side(difference.right)}</li>
      ${difference.changes.slice(0, SHOWN_MAX).map((each) => html`<li class="faint">${each.place}: ${shown(each.left)} | ${shown(each.right)}</li>`)}</ul>
    ${difference.views.length
      ? html`<h3>Views at the end</h3><ul>${difference.views.slice(0, SHOWN_MAX).map((each) => html`<li>${name(each.observer)} has ${name(each.member)}: ${each.left} | ${each.right}</li>`)}</ul>
        ${difference.views.length > SHOWN_MAX ? html`<p class="faint">and ${difference.views.length - SHOWN_MAX} more</p>` : nothing}`
      : html`<p class="faint">The views at the end are the same.</p>`}</section>`;
}

/** The sentences of the checkers that a run violated. @param {Player} player */
export function violations(player) {
  const trace = /** @type {Trace} */ (player.trace);
  if (!trace.violations.length) return nothing;
  return html`<section class="panel violations" aria-labelledby="violations"><h2 id="violations">Violations</h2>
    <ol class="around">${trace.violations.slice(0, SHOWN_MAX).map((index) => html`<li>${link(player, index, lineOf(trace.records[index]), false)}</li>`)}</ol></section>`;
}
