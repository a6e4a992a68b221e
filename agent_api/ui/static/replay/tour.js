// @ts-check
/** A crash in six steps: a recorded run of five nodes, and what to see in it. */
import { html, nothing } from '../vendor/lit-html.js';
import { fromPage } from './sources.js';

/** @typedef {import('./player.js').Player} Player */
/** @typedef {import('./trace.js').Trace} Trace */
/** @typedef {import('./words.js').Fields} Fields */

/** The run, made by `python -m sims.pictures.tour`. @returns {import('./player.js').Source} */
export function tourSource() {
  const name = 'tour.jsonl';
  return fromPage('tour') ?? { name, open: async () => {
    const response = await fetch(new URL(`replay/${name}`, document.baseURI));
    if (!response.ok || !response.body) throw new Error(`HTTP ${response.status}`);
    return response.body;
  } };
}

const isEvent = (/** @type {Fields} */ record, /** @type {string} */ after) => record.kind === 'event' && record.after === after && record.member === 'n3';
const holds = (/** @type {Fields} */ record, /** @type {string} */ type) =>
  record.kind === 'send' && record.messages.some((/** @type {Fields} */ message) => message.type === type);

/**
 * The steps: the record that each stands at, and its text.
 *
 * @type {{title: string, text: string, find: (trace: Trace, crash: number) => number}[]}
 */
export const STEPS = [
  {
    title: 'Five nodes, all alive',
    text: 'Once a second each node pings one other, in a random order, and expects an ack. No node asks all others, and none is in charge.',
    find: (trace, crash) => trace.records.findLastIndex((record, index) => index < crash && holds(record, 'ping')),
  },
  {
    title: 'n3 crashes',
    text: 'Its process is gone. No packet says so: to the others n3 is as alive as before, as the table shows.',
    find: (trace, crash) => crash,
  },
  {
    title: 'A ping without an ack',
    text: 'The next node that pings n3 gets no ack. It does not trust itself yet: the fault might be its own, or that of the path. So it asks others to ping n3.',
    find: (trace, crash) => trace.records.findIndex((record, index) => index > crash && holds(record, 'indirect-ping')),
  },
  {
    title: 'Suspected',
    text: 'No relay got an ack either, and each says so with a nack. The node now suspects n3, and the claim rides on the next packets. The why panel walks back to the crash.',
    find: (trace, crash) => trace.records.findIndex((record, index) => index > crash && isEvent(record, 'suspect')),
  },
  {
    title: 'Failed',
    text: 'A member that lives would now refute the claim with a higher incarnation. None comes, and the suspicion ends: n3 is declared failed.',
    find: (trace, crash) => trace.records.findIndex((record, index) => index > crash && isEvent(record, 'failed')),
  },
  {
    title: 'All know',
    text: 'The news spread by gossip: each node that learns it passes it on to some others. All four tables agree again.',
    find: (trace) => trace.records.findLastIndex((record) => isEvent(record, 'failed')),
  },
];

/** The record of a step. @param {Trace} trace @param {number} step */
export function placeOf(trace, step) {
  return STEPS[step].find(trace, trace.records.findIndex((record) => record.fault === 'crash'));
}

/** To a step: its record, as the node that it is about sees the others. @param {Player} player @param {number} step */
export function goTo(player, step) {
  const trace = /** @type {Trace} */ (player.trace);
  const place = placeOf(trace, step), record = trace.records[place];
  player.pause();
  player.tour = step;
  player.observer = record.kind === 'event' ? record.node : record.kind === 'send' ? record.from : 'n1';
  player.seekRecord(place);
}

/** The step that is shown, with the way to the next one. @param {Player} player */
export function tourPanel(player) {
  if (player.tour === null || !player.trace) return nothing;
  const { tour } = player;
  const go = (/** @type {number} */ step) => () => goTo(player, step);
  const end = () => {
    player.tour = null;
    player.changed();
  };
  const { title, text } = STEPS[tour];
  return html`<section class="panel tour" aria-labelledby="tour"><div><p class="faint">A crash in six steps: ${tour + 1} of ${STEPS.length}</p>
    <h2 id="tour">${title}</h2><p aria-live="polite">${text}</p></div>
    <div class="line"><button ?disabled=${tour === 0} @click=${go(Math.max(0, tour - 1))}>Back</button>
      ${tour + 1 < STEPS.length ? html`<button class="primary" @click=${go(tour + 1)}>Next</button>` : html`<button class="primary" @click=${end}>Done</button>`}
      <button class="quiet" @click=${end}>Leave the tour</button></div></section>`;
}
