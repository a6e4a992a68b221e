// @ts-check
/** One member in a sheet at the side: what it is, who believes what of it, and why. */
import { html, nothing, svg } from './vendor/lit-html.js';
import { clock, span } from './format.js';
import { asks } from './lazy.js';
import { measured } from './measured.js';
import { hostPort, millis, shell, stateMark, tags, version } from './member.js';
import { ago, cli, failure, name, stateGlyph } from './parts.js';
import { reasonOf } from './sentences.js';
import { countdown, path } from './now.js';
import { stateOf } from './store.js';
import { swiped, touched } from './swipe.js';

const HOUR = 3_600_000;

/** Reads the member's transitions and probes: for each change of it, and with each heartbeat while it is open. */
function historyOf(state, who) {
  const number = state.store.latest.get(who)?.number ?? 0;
  const known = state.ui.why;
  const { pulse } = state.store;
  const isOf = known?.name === who && known.from === state.route.from;
  if (isOf && known.number >= number && (known.pulse === pulse || known.error)) return known;
  const next = { name: who, number, pulse, from: state.route.from, lines: isOf ? known.lines : null, probes: isOf ? known.probes : null, error: null };
  state.ui.why = next;
  state.ask(`v1/swim/why?${new URLSearchParams({ name: who })}`).then(
    (answer) => {
      next.probes = answer.probes;
      const known = state.store.members.get(who);
      if (known && answer.member && state.members === state.store.members) measured(known, answer.member);
      next.lines = answer.history.map((line) => ({ ...line, wall: typeof line.at === 'string' ? Date.parse(line.at) : state.now - 1000 * line.age }));
    },
    (error) => { next.error = error; },
  ).finally(state.redraw);
  return next;
}

const closeSheet = (state) => () => state.go({ member: '' });

export function detail(state) {
  const who = state.route.member;
  const m = state.members.get(who);
  const why = historyOf(state, who);
  const lines = [...(why.lines ?? [])].reverse();
  return html`<aside class="sheet" aria-label="Member ${who}" tabindex="-1" data-cli="swim why ${shell(who)}"
      @touchstart=${touched} @touchend=${(event) => swiped(event) > 0 && closeSheet(state)()}>
    <header><h2>${name(who)}</h2>${m ? stateMark(stateOf(m)) : html`<span class="state">· unknown</span>`}<span class="grow"></span>
      <button class="quiet" aria-label="Close" @click=${closeSheet(state)}>✕</button></header>
    ${m ? facts(state, m, why.probes) : html`<p>${state.observer} does not list this member${lines.length ? ' any more' : ''}.</p>`}
    ${others(state, who)}
    ${why.lines ? strip(state, why.lines) : nothing}
    <h3>Reasons</h3>
    ${!state.cluster && state.observer !== state.store.self ? html`<p class="faint">As <bdi>${state.store.self}</bdi> saw it: each agent keeps its own.</p>` : nothing}
    ${why.error ? failure(why.error, () => { state.ui.why = null; state.redraw(); }) : nothing}
    ${why.lines ? html`<ol class="reasons">${lines.map((line) => reason(state, line))}</ol>` : why.error ? nothing : html`<p class="loading">Reading its history…</p>`}
    ${why.lines && !lines.length ? html`<p class="faint">Nothing has happened to it since this agent started.</p>` : nothing}
    <p>${cli(state, `swim why ${shell(who)}`)}</p>
    ${m ? html`<div class="action"><button @click=${asks((actions) => actions.askForceLeave(state, [who]))}>force-leave…</button>${cli(state, `swim force-leave ${shell(who)}`)}</div>` : nothing}
  </aside>`;
}

function facts(state, m, probes) {
  const rows = [
    ['since', html`${ago(state, m.since)}${m.suspicion ? html`, by ${by(m.suspicion.accusers)}` : nothing}`],
    ['address', html`<span class="mono">${hostPort(m)}</span>`],
    ['incarnation', m.incarnation],
    ['versions', `protocol ${version(m.protocol)}, delegate ${version(m.delegate)}`],
    ['tags', Object.keys(m.tags).length ? tags(m.tags) : html`<span class="faint">none</span>`],
    m.last_ack !== undefined && m.name !== state.observer ? ['last ack', m.last_ack ? html`${ago(state, m.last_ack, ' ago')}${m.rtt ? html`, ${millis(m.rtt)} ms` : nothing}` : 'none yet'] : null,
    m.probe ? ['last probe', path(m.probe)] : null,
    probes?.acked || probes?.failed ? ['probes', counted(probes)] : null,
  ];
  return html`${m.suspicion ? countdown(state, m.suspicion) : nothing}
    <dl class="facts">${rows.filter(Boolean).map((row) => html`<dt>${row?.[0]}</dt><dd>${row?.[1]}</dd>`)}</dl>`;
}

/** How all probes of it by this node ended, and how long the last acks took. */
function counted({ acked, failed, rtts, p95 }) {
  const most = Math.max(...rtts);
  const points = rtts.map((rtt, index) => `${(60 * index) / (rtts.length - 1)},${15 - (13 * rtt) / most}`).join(' ');
  return html`${acked.toLocaleString('en')} acked, ${failed.toLocaleString('en')} failed${p95 ? html`; p95 ${millis(p95)} ms` : nothing}${rtts.length > 1
    ? html` <svg class="rtts" viewBox="0 0 60 16" role="img" aria-label="Its last ${rtts.length} round trips: at most ${millis(most)} ms">${svg`<polyline points=${points}/>`}</svg>` : nothing}`;
}

/** Names: the first, and how many more. */
const by = (names) => html`${name(names[0] ?? '?')}${names.length > 1 ? ` and ${names.length - 1} more` : nothing}`;

/** Who else believes what of it; nothing while no other view is known. */
function others(state, who) {
  const by = new Map();
  for (const [observer, view] of state.store.views) {
    if (observer === state.observer || !view.members) continue;
    const m = view.members.get(who);
    const believed = m ? stateOf(m) : 'unknown';
    by.set(believed, [...(by.get(believed) ?? []), observer]);
  }
  if (!by.size) return nothing;
  return html`<p class="line">by others: ${[...by].map(([believed, names]) => html`<span title=${names.join(', ')}>${stateGlyph(believed)} ${names.length}</span>`)}</p>`;
}

/** What another node says is not a reason yet: the one that it has is a click away where its view can be shown. */
function elsewhere(state, { cause, accuser }) {
  if (!state.cluster?.views.has(accuser) || accuser === state.observer || !['claim', 'push-pull', 'unanswered'].includes(cause)) return nothing;
  return html` – <a href=${state.link({ from: accuser })}>what <bdi>${accuser}</bdi> saw</a>`;
}

function reason(state, line) {
  const at = Number.isFinite(line.wall) ? Math.round(line.wall) : '';
  return html`<li><a class="mono" href=${state.link({ view: 'events', time: at })} title="The same moment in Events">${clock(line.wall, true)}</a>
    ${line.before === 'suspect' && line.after === 'suspect'
      ? html`<span>+ <bdi>${line.accuser}</bdi> accuses it too</span><span></span><span class="what"><bdi>${line.detail}</bdi></span>`
      : html`<span>${stateGlyph(line.before)} <span aria-hidden="true">→</span><span class="hidden">to</span> ${stateGlyph(line.after)}</span><span class="faint">inc ${line.incarnation}</span>
        <span class="what"><bdi>${reasonOf(line)}</bdi>${elsewhere(state, line)}</span>`}</li>`;
}

/** Its states in the last hour, or since it is known, as a strip. */
function strip(state, lines) {
  if (!lines.length) return nothing;
  const from = Math.max(state.now - HOUR, lines[0].wall);
  const x = (wall) => Math.max(0, Math.min(100, (100 * (wall - from)) / (state.now - from || 1)));
  const parts = lines.map((line, index) => ({ after: line.after, from: x(line.wall), to: index + 1 < lines.length ? x(lines[index + 1].wall) : 100 })).filter((part) => part.to > 0);
  const words = parts.map((part) => part.after).join(', then ');
  return html`<svg class="strip" viewBox="0 0 100 8" preserveAspectRatio="none" role="img" aria-label="Its states in the last ${span(state.now - from)}: ${words || 'unchanged'}">${parts.map((part) =>
    svg`<rect data-state=${part.after} x=${part.from} width=${Math.max(0.6, part.to - part.from)} height="8"/>`)}</svg><p class="scale faint"><span>${span(state.now - from)} ago</span><span>now</span></p>`;
}
