// @ts-check
/** All members: a table with filter and sort, as cards on a narrow screen. */
import { html, nothing } from '../vendor/lit-html.js';
import { repeat } from '../vendor/directives/repeat.js';
import { filterOf } from '../filter.js';
import { asks } from '../lazy.js';
import { refresh } from '../measured.js';
import { hostPort, millis, shell, stateMark, tags, version } from '../member.js';
import { ago, cli, empty, name } from '../parts.js';
import { reasonOf } from '../sentences.js';
import { SEVERITY, flapsOf, stateOf } from '../store.js';
import { swiped, touched } from '../swipe.js';

const ROW = 37; // px, as in app.css
const CARD = 85;
const WHOLE_MAX = 200; // rows up to which all are rendered; of more, those on the screen

const text = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
const byTime = (m) => Date.parse(m.since ?? '') || 0;

/** The columns: title, order, content. Those that are `extra` are shown when they are chosen. */
const COLUMNS = {
  name: { title: 'Name', order: (a, b) => text(a.name, b.name), cell: (_, m) => name(m.name) },
  status: { title: 'Status', order: (a, b) => SEVERITY[stateOf(a)] - SEVERITY[stateOf(b)], cell: (_, m) => stateMark(stateOf(m)) },
  since: { title: 'Since', number: true, order: (a, b) => byTime(b) - byTime(a), cell: (state, m) => ago(state, m.since) },
  address: { title: 'Address', order: (a, b) => text(hostPort(a), hostPort(b)), cell: (_, m) => html`<span class="mono">${hostPort(m)}</span>` },
  rtt: { title: 'RTT ms', number: true, order: (a, b) => (a.rtt ?? Infinity) - (b.rtt ?? Infinity), cell: (_, m) => millis(m.rtt) },
  incarnation: { title: 'Inc.', number: true, order: (a, b) => a.incarnation - b.incarnation, cell: (_, m) => m.incarnation },
  flaps: { title: 'Flaps/h', number: true, cell: (state, m) => flapsOf(state.store, m.name, state.now) },
  build: { title: 'Build', order: (a, b) => text(a.tags.build ?? '', b.tags.build ?? ''), cell: (_, m) => m.tags.build ?? '–' },
  protocol: { title: 'Protocol', extra: true, order: (a, b) => a.protocol[2] - b.protocol[2], cell: (_, m) => version(m.protocol) },
  delegate: { title: 'Delegate', extra: true, order: (a, b) => a.delegate[2] - b.delegate[2], cell: (_, m) => version(m.delegate) },
  tags: { title: 'Tags', wide: true, cell: (_, m) => tags(m.tags) },
};

const shownColumns = (route) => Object.entries(COLUMNS).filter(([key, column]) => !column.extra || (route.columns ?? '').split(',').includes(key));

let cache = { key: '', list: /** @type {any[]} */ ([]) };

/** The members that match the filter, in order; by severity and name unless the route says otherwise. */
export function listOf(state) {
  const { filter = '', sort = 'status', desc, from = '' } = state.route;
  const key = [state.store.version, filter, sort, desc, from].join('\n');
  if (cache.key === key) return cache.list;
  const order = sort === 'flaps'
    ? (a, b) => flapsOf(state.store, b.name, state.now) - flapsOf(state.store, a.name, state.now)
    : COLUMNS[sort]?.order ?? COLUMNS.status.order;
  const sign = desc ? -1 : 1;
  const list = [...state.members.values()].filter(filterOf(filter)).sort((a, b) => sign * order(a, b) || text(a.name, b.name));
  cache = { key, list };
  return list;
}

export function view(state) {
  refresh(state);
  const list = listOf(state);
  const total = state.members.size;
  return html`<div class="members">
    <h1 class="hidden">Members as ${state.observer} sees them</h1>
    ${toolbar(state, list, total)}
    ${list.length ? (state.narrow ? cards(state, list) : table(state, list)) : none(state, total)}
    ${selection(state)}
  </div>`;
}

function none(state, total) {
  return total
    ? empty(html`None of ${total.toLocaleString('en')} members matches <code>${state.route.filter}</code>.`,
        html`<button @click=${() => state.go({ filter: '' })}>Show all</button>`)
    : empty('This agent knows no members yet.', cli(state, 'swim join HOST:PORT'));
}

function toolbar(state, list, total) {
  const builds = new Set([...state.members.values()].map((m) => m.tags.build).filter(Boolean));
  const onInput = (event) => state.go({ filter: event.target.value }, { replace: true });
  return html`<div class="toolbar">
    <label class="field"><span class="hidden">Filter</span><input data-filter type="search" placeholder="filter: status:alive,suspect role=web dc=eu* -10.0."
      spellcheck="false" .value=${state.route.filter ?? ''} @input=${onInput}></label>
    <span class="faint" role="status">${list.length === total ? `${total.toLocaleString('en')} members` : `${list.length.toLocaleString('en')} of ${total.toLocaleString('en')}`}</span>
    ${builds.size > 1 ? html`<span class="chip" data-kind="warn" title=${[...builds].sort().join(', ')}>${builds.size} builds</span>` : nothing}
    <span class="grow"></span>
    ${state.narrow ? nothing : columnsMenu(state)}
    <span class="group"><span class="faint">copy as</span>
      <button class="small" @click=${() => state.copy(asTable(list))}>table</button>
      <button class="small" @click=${() => state.copy(JSON.stringify({ members: list }, null, 2))}>JSON</button>
      <button class="small" data-cli="swim members" @click=${() => state.copy('swim members')}>CLI</button>
    </span></div>`;
}

const asTable = (list) =>
  list.map((m) => [m.name, stateOf(m), hostPort(m), m.incarnation, Object.entries(m.tags).map((tag) => tag.join('=')).join(' ')].join('\t')).join('\n');

function columnsMenu(state) {
  const chosen = new Set((state.route.columns ?? '').split(',').filter(Boolean));
  const toggle = (key) => () => {
    if (!chosen.delete(key)) chosen.add(key);
    state.go({ columns: [...chosen].join(',') }, { replace: true });
  };
  return html`<details class="menu"><summary>columns</summary><div class="popup">${Object.entries(COLUMNS).filter(([, column]) => column.extra).map(([key, column]) =>
    html`<label><input type="checkbox" .checked=${chosen.has(key)} @change=${toggle(key)}> ${column.title}</label>`)}</div></details>`;
}

/** The part of a long list that is on the screen, and the heights before and after it. */
function part(state, list, height) {
  if (list.length <= WHOLE_MAX) return { rows: list, first: 0, before: 0, after: 0 };
  const top = state.ui.membersTop ?? 0;
  const first = Math.max(0, Math.min(Math.floor(top / height) - 10, list.length - 20));
  const last = Math.min(list.length, first + Math.ceil(innerHeight / height) + 20);
  return { rows: list.slice(first, last), first, before: first * height, after: (list.length - last) * height };
}

const onScroll = (state) => (event) => {
  state.ui.membersTop = event.target.scrollTop;
  state.redraw();
};

const open = (state, m) => () => state.go({ member: m.name });

function table(state, list) {
  const columns = shownColumns(state.route);
  const { rows, first, before, after } = part(state, list, ROW);
  const selected = (state.ui.selected ??= new Set());
  const focusable = rows.some((m) => m.name === state.ui.row) ? state.ui.row : rows[0]?.name;
  const filler = (height) => (height ? html`<tr aria-hidden="true" class="filler"><td colspan="20" .style=${`height:${height}px`}></td></tr>` : nothing);
  return html`<div class="scroll" @scroll=${onScroll(state)} tabindex="-1">
    <table aria-rowcount=${list.length + 1} aria-label="Members">
      <thead><tr aria-rowindex="1"><th class="check"><span class="hidden">Selected</span></th>${columns.map(([key, column]) => heading(state, key, column))}</tr></thead>
      <tbody>${filler(before)}${repeat(rows, (m) => m.name, (m, index) => html`<tr data-row data-cli="swim why ${shell(m.name)}" tabindex=${m.name === focusable ? 0 : -1}
          aria-rowindex=${first + index + 2} data-state=${stateOf(m)} ?data-chosen=${state.route.member === m.name}
          @focus=${() => (state.ui.row = m.name)} @click=${open(state, m)} @keydown=${(event) => event.key === 'Enter' && event.target === event.currentTarget && open(state, m)()}>
          <td class="check" @click=${(event) => event.stopPropagation()}>${m.status === 'failed' || m.status === 'left'
            ? html`<input type="checkbox" aria-label="Select ${m.name}" tabindex="-1" .checked=${selected.has(m.name)} @change=${() => { selected.delete(m.name) || selected.add(m.name); state.redraw(); }}>` : nothing}</td>
          ${columns.map(([, column]) => html`<td class=${column.number ? 'number' : column.wide ? 'wide' : ''}>${column.cell(state, m)}</td>`)}</tr>`)}${filler(after)}</tbody>
    </table></div>`;
}

function heading(state, key, column) {
  const { sort = 'status', desc } = state.route;
  const isSorted = sort === key;
  const turn = () => state.go({ sort: key, desc: isSorted && !desc ? '1' : '' }, { replace: true });
  const canSort = column.order || key === 'flaps';
  return html`<th scope="col" class=${column.number ? 'number' : ''} aria-sort=${isSorted ? (desc ? 'descending' : 'ascending') : 'none'}>${canSort
    ? html`<button class="sort" @click=${turn}>${column.title}<span class="arrow" aria-hidden="true">${isSorted ? (desc ? '▼' : '▲') : ''}</span></button>` : column.title}</th>`;
}

function cards(state, list) {
  const { rows, before, after } = part(state, list, CARD);
  return html`<div class="scroll" @scroll=${onScroll(state)} tabindex="-1"><div class="filler" .style=${`height:${before}px`}></div>
    <ul class="cards">${repeat(rows, (m) => m.name, (m) => html`<li><button class="card" data-row data-state=${stateOf(m)} @click=${open(state, m)}
      @touchstart=${touched} @touchend=${(event) => swiped(event) && open(state, m)()}>
      <span class="first">${name(m.name)}<span class="grow"></span>${stateMark(stateOf(m))}</span>
      <span class="second"><span class="mono">${hostPort(m)}</span><span class="grow"></span>${ago(state, m.since)}</span>
      <span class="third">${m.reason ? html`<bdi>${reasonOf(m.reason)}</bdi>` : tags(m.tags)}</span></button></li>`)}</ul>
    <div class="filler" .style=${`height:${after}px`}></div></div>`;
}

/** What can be done with the chosen members, and the commands that it equals. */
function selection(state) {
  const chosen = [...(state.ui.selected ?? [])].filter((each) => state.members.has(each));
  if (!chosen.length) return nothing;
  const commands = (prune) => chosen.map((each) => `swim force-leave ${shell(each)}${prune ? ' --prune' : ''}`).join('; ');
  return html`<div class="selection" role="region" aria-label="Selected members"><b>selected: ${chosen.length}</b>
    ${[false, true].map((prune) => html`<span class="action"><button @click=${asks((actions) => actions.askForceLeave(state, chosen, prune))}>force-leave${prune ? ' + prune' : ''}…</button>${cli(state, commands(prune))}</span>`)}</div>`;
}
