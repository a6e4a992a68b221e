// @ts-check
/** A node without others: what it tries, when, and what would help. */
import { html, nothing } from './vendor/lit-html.js';
import { plural, span } from './format.js';
import { asks } from './lazy.js';
import { cli } from './parts.js';

const STEPS = ['listening', 'joined', 'converged'];

const AGAIN = 1000; // ms after an attempt is due until its outcome is asked for

/** Milliseconds until the next attempt at a seed; the seeds are read again once that is over. */
function nextAttempt(state, seeds) {
  const { info } = state;
  const [next] = seeds.map((seed) => seed.next).filter((each) => each !== null && each !== undefined);
  if (next === undefined) return null;
  const left = next * 1000 - (state.now - info.readAt);
  if (left < -AGAIN && !info.isOld) {
    info.isOld = true;
    state.readInfo();
  }
  return Math.max(0, left);
}

/** What stands under “Now” while no other member is alive. */
export function alone(state) {
  const seeds = state.info?.seeds ?? [];
  const readiness = state.store.pulse?.readiness ?? state.info?.readiness;
  const reached = STEPS.indexOf(readiness);
  const left = nextAttempt(state, seeds);
  return html`<div class="alone"><p><b><bdi>${state.store.self}</bdi></b> is alone.${seeds.length ? ` It looks for ${plural(seeds.length, 'seed')}:` : ' It has no seeds to look for.'}</p>
    ${seeds.length ? html`<ul>${seeds.map((seed) => html`<li><code>${seed.address}</code> ${seed.error ? html`<bdi>${seed.error.replace(`${seed.address}: `, '')}</bdi>` : 'not tried yet'}${seed.age === null ? nothing : ` (${span(seed.age * 1000 + (state.now - state.info.readAt))} ago)`}</li>`)}</ul>` : nothing}
    ${left === null ? nothing : html`<p role="timer">${left > 0 ? `The next attempt is in ${span(left)}.` : 'It tries again now.'}</p>`}
    ${reached >= 0 ? html`<ol class="steps" aria-label="Readiness: ${readiness}">${STEPS.map((step, index) => html`<li data-done=${index <= reached}>${step}</li>`)}</ol>` : nothing}
    <div class="action"><button class="primary" @click=${asks((actions) => actions.askJoin(state))}>Join…</button>${cli(state, 'swim join HOST:PORT')}</div></div>`;
}
