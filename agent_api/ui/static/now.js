// @ts-check
/** What needs attention: members that are not as they should be, how a suspicion stands, and how a probe round ended. */
import { html, nothing } from './vendor/lit-html.js';
import { repeat } from './vendor/directives/repeat.js';
import { isolated, span } from './format.js';
import { shell } from './member.js';
import { ago, name, stateGlyph } from './parts.js';
import { accusersOf } from './ring/members.js';
import { reasonOf } from './sentences.js';
import { SEVERITY, stateOf } from './store.js';

const LISTED_MAX = 8;

/** How a suspicion stands: confirmations, and the time until it expires. */
export function countdown(state, { accusers, started, deadline, wanted }) {
  const [from, to] = [Date.parse(started), Date.parse(deadline)];
  const left = Math.max(0, to - state.now);
  return html`<div class="countdown"><progress max=${to - from || 1} value=${left} aria-label="Time until it is failed"></progress>
    <span>${span(left)} until it is failed, unless it refutes</span>
    <span class="faint">suspected by <bdi>${accusers.map(isolated).join(', ')}</bdi>${wanted ? `, ${Math.min(accusers.length - 1, wanted)} of ${wanted} confirmations` : ''}</span></div>`;
}

/** The path of a probe round: what came back in each way. */
export function path({ direct, relays, stream }) {
  const mark = (answer) => (answer === 'ack' ? html`<span class="state" data-state="alive">ack</span>` : answer === 'nack' ? html`<span class="state" data-state="suspect">nack</span>`
    : html`<span class="state" data-state=${answer === 'off' ? 'left' : 'failed'}>${answer === 'none' || answer === 'silent' ? 'no answer' : answer}</span>`);
  const list = Object.entries(relays ?? {});
  return html`direct ${mark(direct)}${list.length ? html`; relays ${list.map(([relay, answer], index) => html`${index ? ', ' : ''}<bdi>${relay}</bdi> ${mark(answer)}`)}` : nothing}${
    direct === 'ack' ? nothing : html`; stream ${mark(stream)}`}`;
}

/** These members, the most urgent first. */
export function list(state, found) {
  const urgency = (m) => (stateOf(m) === 'suspect' ? -1 : SEVERITY[stateOf(m)]);
  found.sort((a, b) => urgency(a) - urgency(b) || Date.parse(b.since ?? '') - Date.parse(a.since ?? '') || (a.name < b.name ? -1 : 1));
  const more = found.length - LISTED_MAX;
  return html`<ul class="now-list">${repeat(found.slice(0, LISTED_MAX), (m) => m.name, (m) => html`<li data-state=${stateOf(m)} data-cli="swim why ${shell(m.name)}"><a href=${state.link({ member: m.name })}>${stateGlyph(stateOf(m))} ${name(m.name)}
      <span>${headline(state, m)}</span></a>${m.suspicion ? countdown(state, m.suspicion) : nothing}${m.is_suspect && m.probe && m.probe.direct !== 'ack' ? html`<p class="faint">${path(m.probe)}</p>` : nothing}</li>`)}</ul>
    ${more > 0 ? html`<p><a href=${state.link({ view: 'members', filter: '-status:alive', member: '' })}>and ${more.toLocaleString('en')} more</a></p>` : nothing}`;
}

function headline(state, m) {
  const line = state.store.latest.get(m.name);
  const why = m.reason ?? (line?.kind === 'member' ? line : null);
  if (m.is_suspect) return html`suspected by <bdi>${accusersOf(state, m).map(isolated).join(', ') || 'a member'}</bdi> for ${ago(state, m.since)}`;
  return html`${stateOf(m)} ${m.since ? ago(state, m.since, ' ago') : nothing} ${why ? html`<span class="faint"><bdi>${reasonOf(why)}</bdi></span>` : nothing}`;
}
