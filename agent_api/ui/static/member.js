// @ts-check
/** What a member has, as text, and as words of a command. Names and tags go through lit's templates, which escape them. */
import { html } from './vendor/lit-html.js';
import { GLYPH } from './store.js';

/** `host:port`, with brackets around an IPv6 address. */
export const hostPort = (m) => (m.address.includes(':') ? `[${m.address}]:${m.port}` : `${m.address}:${m.port}`);

/** A round-trip time in seconds as ms, without the unit: `0.62`, `14`. */
export function millis(seconds) {
  if (seconds === null || seconds === undefined) return '–';
  const ms = seconds * 1000;
  return ms < 10 ? ms.toFixed(2) : ms < 100 ? ms.toFixed(1) : Math.round(ms).toLocaleString('en');
}

/** Versions that are spoken, and the one in use: `1–5 (2)`. */
export const version = (triple) => `${triple[0]}–${triple[1]} (${triple[2]})`;

/** A tag in the text of the member that has it. */
export const tags = (of) => Object.entries(of).map(([key, value]) => html`<bdi class="tag" title="${key}=${value}">${key}=${value}</bdi> `);

/** A word as one argument of a shell: bare if it is harmless, else in single quotes. */
export const shell = (word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`);

/** A state as colour, glyph and word. */
export const stateMark = (name) =>
  html`<span class="state" data-state=${name}><span class="glyph" aria-hidden="true">${GLYPH[name] ?? '·'}</span> ${name}</span>`;
