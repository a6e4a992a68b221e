// @ts-check
/** What happened, newest first: lines of one cause are one line that opens. */
import { html, nothing } from '../vendor/lit-html.js';
import { repeat } from '../vendor/directives/repeat.js';
import { clock, plural, span } from '../format.js';
import { cli, empty, stateGlyph } from '../parts.js';
import { VERBS, reasonOf, sentenceOf } from '../sentences.js';

const GROUPS_MAX = 150;
const TOGETHER = 1000; // ms between lines of one group

/** The kinds that can be chosen, and which lines they are. */
const KINDS = {
  joined: ['MemberJoined', 'MemberRestarted'], suspected: ['MemberSuspected', 'MemberAccused'], refuted: ['MemberRefuted'], failed: ['MemberFailed'],
  left: ['MemberLeaving', 'MemberLeft', 'MemberReaped'], changed: ['MemberUpdated'], messages: ['UserEvent', 'Query', 'UserMessage'],
};

const chosenKinds = (route) => (route.kinds ?? '').split(',').filter((kind) => Object.hasOwn(KINDS, kind));

/** Whether a line is one of those that were asked for. Gaps are always shown: they are what is missing. */
function isWanted(route) {
  const kinds = chosenKinds(route).flatMap((kind) => KINDS[kind]);
  const words = (route.filter ?? '').toLowerCase().split(/\s+/).filter(Boolean);
  return (entry) => {
    if (!['member', 'message'].includes(entry.kind)) return true;
    if (route.from && entry.observer && entry.observer !== route.from) return false;
    if (kinds.length && !kinds.includes(entry.event ?? entry.kind)) return false;
    return words.every((word) => `${entry.name} ${entry.accuser ?? ''} ${entry.cause ?? ''} ${entry.observer ?? ''}`.toLowerCase().includes(word));
  };
}

/** Whether a line belongs to the group of the one after it. */
function belongs(entry, group) {
  const [last] = group.slice(-1);
  if (entry.kind !== 'member' || last.kind !== 'member' || entry.event !== last.event || Math.abs(last.at - entry.at) > TOGETHER) return false;
  const isOne = group.every((each) => each.name === last.name);
  return (isOne && entry.name === last.name) || (entry.cause === last.cause && entry.accuser === last.accuser && entry.observer === last.observer);
}

/** Groups of lines, newest first, up to a line's number. */
function groupsOf(state, until) {
  const { feed } = state.store;
  const wanted = isWanted(state.route);
  const groups = [];
  for (let index = feed.length - 1; index >= 0; index -= 1) {
    const entry = feed[index];
    if (entry.number > until || !wanted(entry)) continue;
    const group = groups.at(-1);
    if (group && belongs(entry, group)) group.push(entry);
    else if (groups.length === GROUPS_MAX) break;
    else groups.push([entry]);
  }
  return groups;
}

/** Stops the list, or lets it go on; counting goes on meanwhile. */
function pause(state) {
  state.ui.pausedAt = state.ui.pausedAt === undefined ? state.store.counted : undefined;
  state.redraw();
}

export function onKey(state, event) {
  if (event.key !== ' ' || event.target.closest('button, a, summary')) return false;
  pause(state);
  return true;
}

export function view(state) {
  const { store, ui, route } = state;
  const until = ui.pausedAt ?? Infinity;
  const groups = groupsOf(state, until);
  const missed = ui.pausedAt === undefined ? 0 : store.counted - ui.pausedAt;
  return html`<div class="members">
    <h1 class="hidden">Events</h1>
    ${toolbar(state, missed, groups)}
    ${groups.length
      ? html`<ol class="feed scroll" tabindex="0" aria-label="Events, newest first">${repeat(groups, (group) => group.at(-1).number, (group) => groupLine(state, group, nearest(groups, Number(route.time))))}</ol>`
      : empty('No such event since this page was opened.', cli(state, 'swim watch'))}
    ${store.counted > store.feed.length ? html`<p class="faint">${(store.counted - store.feed.length).toLocaleString('en')} older lines are no longer kept.</p>` : nothing}
  </div>`;
}

/** The group that is nearest to the moment in the link. */
function nearest(groups, time) {
  if (!time) return null;
  const distance = (group) => Math.min(...group.map((entry) => Math.abs(entry.at - time)));
  return groups.reduce((best, group) => (distance(group) < distance(best) ? group : best), groups[0]);
}

function toolbar(state, missed, groups) {
  const kinds = new Set(chosenKinds(state.route));
  const toggle = (kind) => () => {
    kinds.delete(kind) || kinds.add(kind);
    state.go({ kinds: [...kinds].join(',') }, { replace: true });
  };
  const lines = () => groups.flat().map((entry) => JSON.stringify(entry)).join('\n');
  return html`<div class="toolbar">
    <label class="field short"><span class="hidden">Filter</span><input data-filter type="search" placeholder="member, observer, cause" spellcheck="false"
      .value=${state.route.filter ?? ''} @input=${(event) => state.go({ filter: event.target.value }, { replace: true })}></label>
    <span class="chips" role="group" aria-label="Kinds">${Object.keys(KINDS).map((kind) => html`<button class="chip" aria-pressed=${kinds.has(kind)} @click=${toggle(kind)}>${kind}</button>`)}</span>
    <span class="grow"></span>
    <button class="small" aria-pressed=${missed > 0 || state.ui.pausedAt !== undefined} @click=${() => pause(state)} title="space">${state.ui.pausedAt === undefined ? 'pause' : `${plural(missed, 'new line')} – go on`}</button>
    <button class="small" @click=${() => state.copy(lines())}>copy as JSON lines</button></div>`;
}

function groupLine(state, group, marked) {
  const newest = group[0];
  const time = html`<time class="mono" datetime=${iso(newest.at)} title="${span(state.now - newest.at)} ago">${clock(newest.at, true)}</time>`;
  const mark = newest.kind === 'member' ? stateGlyph(newest.after) : html`<span class="glyph" aria-hidden="true">${{ gap: '⋯', reconnect: '↻', jump: '⏱', message: '✉', action: '›' }[newest.kind] ?? '·'}</span>`;
  const line = html`${time}${mark}<span class="what"><bdi>${groupSentence(group)}</bdi></span>`;
  const classes = `entry ${newest.kind}${group === marked ? ' marked' : ''}`;
  if (group.length > 1) {
    return html`<li class=${classes}><details><summary>${line}<span class="faint count-of">${group.length}</span></summary>
      <ol>${group.map((entry) => html`<li>${clock(entry.at, true)} ${entry.observer ? html`<bdi class="faint">${entry.observer}</bdi> ` : nothing}<a href=${state.link({ member: entry.name })}><bdi>${sentenceOf(entry)}</bdi></a></li>`)}</ol></details></li>`;
  }
  return html`<li class=${classes}>${newest.kind === 'member' ? html`<a class="row" href=${state.link({ member: newest.name })}>${line}</a>` : html`<span class="row">${line}</span>`}${
    newest.payload ? html`<details class="payload"><summary>payload</summary><pre>${payload(newest.payload)}</pre></details>` : nothing}</li>`;
}

const iso = (at) => (Number.isFinite(at) ? new Date(at).toISOString() : '');

/** A group of lines in one sentence: one member at several observers, or several members for one cause. */
function groupSentence(entries) {
  const [first] = entries;
  if (entries.length === 1) return sentenceOf(first);
  const times = entries.map((each) => each.at);
  const within = `within ${Math.round(Math.max(...times) - Math.min(...times)).toLocaleString('en')} ms`;
  const verb = VERBS[first.event] ?? first.event;
  if (new Set(entries.map((each) => each.name)).size > 1) return `${plural(entries.length, 'member')} ${verb} (${reasonOf({ ...first, detail: '' })}), ${within}`;
  const claims = entries.filter((each) => each.cause === 'claim' || each.cause === 'push-pull');
  const own = entries.filter((each) => !claims.includes(each)).map((each) => `${each.observer}: ${reasonOf({ ...each, detail: '' })}`);
  const parts = [...own, claims.length ? `${claims.length}${own.length ? ' others' : ''} by claim` : ''].filter(Boolean);
  return `${first.name} ${verb}: ${parts.join(', ')}, ${within}`;
}

/** Bytes from base64 as text if they are UTF-8 without control characters, else as hexadecimal digits. */
function payload(base64) {
  const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    if (!/[\x00-\x08\x0e-\x1f\x7f]/.test(text)) return text;
  } catch { /* not text */ }
  return [...bytes].map((b) => b.toString(16).padStart(2, '0')).join(' ');
}
