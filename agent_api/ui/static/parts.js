// @ts-check
/** Pieces that several views show. All text goes through lit's templates, which escape it. */
import { html, nothing, svg } from './vendor/lit-html.js';
import { clock, span } from './format.js';
import { GLYPH } from './store.js';

/** A state as colour and glyph, with the word for those who cannot see them. */
export const stateGlyph = (name) =>
  html`<span class="state" data-state=${name}><span class="glyph" aria-hidden="true">${GLYPH[name] ?? '·'}</span><span class="hidden">${name}</span></span>`;

/** The text of another: its direction stays its own. */
export const name = (text) => html`<bdi class="name" title=${text}>${text}</bdi>`;

/** How long ago, with the moment as its title. */
export function ago(state, at, suffix = '') {
  const ms = typeof at === 'string' ? Date.parse(at) : at;
  if (!Number.isFinite(ms)) return html`<span class="faint" title="before this page was opened">–</span>`;
  return html`<time datetime=${new Date(ms).toISOString()} title=${clock(ms, true)}>${span(state.now - ms)}${suffix}</time>`;
}

/** The command line that a control equals, and a button that copies it. */
export function cli(state, command) {
  return html`<span class="cli"><code data-cli=${command}>${command}</code><button class="quiet small" @click=${() => state.copy(command)}
    aria-label="Copy: ${command}">copy</button></span>`;
}

/** What stands where there is nothing to show: a sentence, and what would change that. */
export const empty = (sentence, more = /** @type {any} */ (nothing)) => html`<div class="empty"><p>${sentence}</p>${more}</div>`;

/** An error of the API: its own sentence, the request's id, and another try. */
export const failure = (error, retry) => html`<div class="failure" role="alert">
  <p><strong>${error.status ? `HTTP ${error.status}` : 'No answer'}</strong> ${error.message}</p>
  ${error.request ? html`<p class="faint">request ${error.request}</p>` : nothing}
  ${retry ? html`<button @click=${retry}>Try again</button>` : nothing}</div>`;

const ICONS = {
  overview: svg`<circle cx="10" cy="10" r="6.2"/><circle cx="10" cy="3.8" r="1.9" class="fill"/><circle cx="15.4" cy="13.1" r="1.9" class="fill"/><circle cx="4.6" cy="13.1" r="1.9" class="fill"/>`,
  views: svg`<path d="M3 3h5v5H3zM12 3h5v5h-5zM3 12h5v5H3z"/><path d="M12 12h5v5h-5z" class="fill"/>`,
  members: svg`<path d="M3 5h14M3 10h14M3 15h14"/>`,
  events: svg`<path d="M2 10h4l2.5-6 4 12L15 10h3"/>`,
  health: svg`<path d="M3 17V9M8 17V4M13 17v-6M17.5 17V7"/>`,
  faults: svg`<path d="M11 2 4 11.5h5L8.5 18 16 8.5h-5.5z"/>`,
  replay: svg`<path d="M6 4v12l10-6z"/>`,
  explain: svg`<path d="M3 3v14h14M5 14c4 0 4-9 11-9"/>`,
  more: svg`<path d="M4 10h.1M10 10h.1M16 10h.1" stroke-width="3"/>`,
};

/** The icon of a view. */
export const icon = (view) => html`<svg class="icon" viewBox="0 0 20 20" aria-hidden="true">${ICONS[view] ?? ICONS.members}</svg>`;
