// @ts-check
/** The frame around every view: header, navigation, footer, and the dialogs that can open over all of them. */
import { html, nothing } from './vendor/lit-html.js';
import { clock, span } from './format.js';
import { lazy } from './lazy.js';
import { cli, empty, icon } from './parts.js';
import { agreementOf, countsOf } from './store.js';

const sheet = lazy(() => import('./detail.js'), 'lists.css', 'now.css', 'detail.css');
const dialogs = lazy(() => import('./dialogs.js'), 'lists.css', 'dialogs.css');

const BAR = 5;

/** Loads what can open over a view. */
export const preload = (state) => [sheet, dialogs].forEach((each) => each.get(state));

/** The whole page. */
export function frame(state, view) {
  const stale = state.shownStream?.state === 'waiting' && isKnown(state, view);
  return html`
    <a class="skip" href="#main" @click=${focusMain}>Skip to the view</a>
    ${header(state)}
    ${nav(state)}
    <main id="main" tabindex="-1" class=${stale ? 'stale' : ''}>
      ${stale ? html`<p class="banner" role="status">As of ${clock(state.now)}: ${state.shownStream === state.stream ? 'the agent' : 'the cluster'} does not answer. Nothing here is newer.</p>` : nothing}
      ${content(state, view)}
    </main>
    ${state.route.member && state.store.self ? sheet.get(state)?.detail(state) ?? nothing : nothing}
    ${footer(state)}
    <p class="hidden" aria-live="polite">${state.said}</p>
    ${isAsking(state) ? dialogs.get(state)?.dialog(state) ?? nothing : nothing}`;
}

/** Whether a dialog is open. */
const isAsking = ({ ui }) => Boolean(ui.help || ui.token || ui.action || ui.palette || ui.more);

function focusMain(event) {
  event.preventDefault();
  document.getElementById('main')?.focus();
}

/** Whether there is anything to show: the nodes of the whole cluster, or the view of one observer. */
const isKnown = (state, view) => (state.cluster && view?.isWhole ? state.cluster.nodes.size > 0 : Boolean(state.store.self));

/** The view, or the sentence that says why there is none yet. */
function content(state, view) {
  const stream = state.shownStream;
  if (stream?.state === 'forbidden') return dialogs.get(state)?.forbidden(state) ?? nothing;
  if (stream && !isKnown(state, view)) {
    if (stream.state === 'loading') return html`<p class="loading" role="status">Reading the members of ${location.host}…</p>`;
    return empty(html`Nothing answers at <code>${location.host}</code>: ${stream.error}.`, cli(state, 'swim agent'));
  }
  return view ? view.module.view(state) : nothing;
}

function header(state) {
  const counts = countsOf(state.members);
  const label = state.info?.label;
  return html`<header class="top">
    <a class="brand" aria-label="swim: the first view" href=${state.link({ view: state.views[0].id, member: '' })}><svg viewBox="0 0 32 32" aria-hidden="true"><circle
      cx="16" cy="16" r="11"/><circle cx="16" cy="5" r="4"/><circle cx="25.5" cy="21.5" r="4"/><circle cx="6.5" cy="21.5" r="4"/></svg><span>swim</span></a>
    ${label ? html`<span class="label" title="label of every packet"><bdi>${label}</bdi></span>` : nothing}
    ${state.store.self ? observerMenu(state) : nothing}
    <span class="grow"></span>
    ${state.store.self
      ? html`<span class="counts">${['alive', 'suspect', 'failed'].map((each) => html`<a class="count" data-state=${each} data-zero=${!counts[each]}
          href=${state.link({ view: 'members', filter: `status:${each}`, member: '' })}><b>${counts[each].toLocaleString('en')}</b> ${each}</a>`)}</span>
        ${badge(state)}`
      : nothing}
  </header>`;
}

/** Whose view the page shows. */
function observerMenu(state) {
  const chosen = state.observer;
  if (state.observers.length < 2) return html`<span class="observer">seen from <b><bdi>${chosen}</bdi></b></span>`;
  const option = (each) => {
    const error = state.store.views.get(each)?.error;
    const process = state.cluster?.nodes.get(each)?.state ?? 'running';
    const note = error ? ' (no answer)' : process === 'running' ? '' : ` (${process})`;
    return html`<option value=${!state.cluster && each === state.store.self ? '' : each} ?selected=${chosen === each} title=${error || nothing}
      ?disabled=${Boolean(error) || !['running', 'paused'].includes(process)}>${each}${note}</option>`;
  };
  return html`<label class="observer">seen from <select @change=${(event) => state.go({ from: event.target.value })}>${state.observers.map(option)}</select></label>`;
}

/** The most prominent fact: do all agree? */
function badge(state) {
  const { groups, known, wanted } = agreementOf(state.store);
  const text = groups.map((names) => names.join(',')).join(' ');
  if (state.ui.groups !== text) Object.assign(state.ui, { groups: text, groupsSince: state.now });
  const since = Number.isFinite(state.ui.groupsSince) ? html`<small>since ${clock(state.ui.groupsSince)}</small>` : nothing;
  const to = state.views.some((each) => each.id === 'views') ? state.link({ view: 'views', member: '' }) : nothing;
  if (groups.length > 1) {
    const names = groups.slice(0, 3).map((each) => `{${each.slice(0, 4).join(', ')}${each.length > 4 ? ', …' : ''}}`).join(' ');
    return html`<a class="badge" data-kind="differ" href=${to} title=${names}><span aria-hidden="true">≢</span> ${groups.length} views ${since}</a>`;
  }
  if (known < wanted) {
    return html`<a class="badge" data-kind="unknown" href=${to} title="The others' views are not known to this agent"><span
      aria-hidden="true">?</span> ${known} of ${wanted.toLocaleString('en')} answer</a>`;
  }
  return html`<a class="badge" data-kind="agree" href=${to}><span aria-hidden="true">≡</span> all agree ${since}</a>`;
}

/** The views; the bar of a narrow screen has room for five, of which the last one opens the others. */
function nav(state) {
  const isLong = state.narrow && state.views.length > BAR;
  const entry = (each, index) => html`<a href=${state.link({ view: each.id, member: '' })}
    aria-current=${each.id === state.route.view ? 'page' : 'false'} title="${each.module.title} (${index + 1})">${icon(each.id)}<span>${each.module.title}</span></a>`;
  const more = () => html`<a role="button" href="#more" aria-haspopup="dialog" aria-current=${state.views.indexOf(state.view) >= BAR - 1} @click=${(event) => {
    event.preventDefault();
    state.ui.more = state.views.slice(BAR - 1);
    state.redraw();
  }}>${icon('more')}<span>More</span></a>`;
  return html`<nav class="side" aria-label="Views">${state.views.slice(0, isLong ? BAR - 1 : undefined).map(entry)}${isLong ? more() : nothing}</nav>`;
}

function footer(state) {
  const { info } = state;
  const score = state.store.pulse?.health_score ?? info?.health_score;
  return html`<footer class="bottom">
    ${state.shownStream ? connection(state) : nothing}
    ${info
      ? html`<span>${info.encrypted ? html`encrypted <span class="faint">key ${String(info.keys[0] ?? '').slice(0, 12)}</span>` : 'not encrypted'}</span>
        <span>health score <b data-score=${score}>${score}</b></span><span class="grow"></span><span class="faint">swim ${info.version}</span>`
      : html`<span class="grow"></span>`}
    ${state.stream ? html`<button class="quiet" @click=${() => { state.ui.token = true; state.redraw(); }}>token</button>` : nothing}
    <button class="quiet" aria-label="Help" @click=${() => { state.ui.help = true; state.redraw(); }}>?</button>
  </footer>`;
}

function connection(state) {
  const stream = state.shownStream;
  const now = performance.now();
  switch (stream.state) {
    case 'live':
      return html`<span class="state" data-state="alive"><span class="glyph" aria-hidden="true">●</span> live<span class="faint">, ${span(now - stream.lastAt)} ago</span></span>`;
    case 'waiting':
      return html`<span class="state" data-state="suspect" role="status"><span class="glyph" aria-hidden="true">◌</span> reconnecting in
        ${span(stream.retryAt - now)} (attempt ${stream.attempt})</span><button class="quiet" @click=${() => stream.retry()}>now (R)</button>`;
    case 'forbidden':
      return html`<span class="state" data-state="suspect"><span class="glyph" aria-hidden="true">⚿</span> token needed</span>`;
    default:
      return html`<span class="faint">connecting…</span>`;
  }
}
