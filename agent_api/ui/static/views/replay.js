// @ts-check
/** A recorded run: scrub through it, see every table at any moment, and why each transition happened. */
import { html, nothing } from '../vendor/lit-html.js';
import { cli, empty } from '../parts.js';
import { diagram } from '../replay/diagram.js';
import { lanes } from '../replay/lanes.js';
import { comparison, recordPanel, tableOf, violations, whyPanel } from '../replay/panels.js';
import { Player } from '../replay/player.js';
import { PACKETS, space } from '../replay/space.js';
import { fromCluster, fromFile, fromPage, fromServer } from '../replay/sources.js';
import { goTo, tourPanel, tourSource } from '../replay/tour.js';
import { clock, runTitle } from '../replay/words.js';

/** What the help shows of this view. */
export const keys = [
  ['space', 'play, pause'],
  ['← → , .', 'previous and next record'],
  ['Shift ← →', 'previous and next transition'],
  ['Alt ← →', 'previous and next fault'],
  ['m n p', 'mark this moment, next and previous mark'],
  ['Home End', 'beginning and end'],
];

/** Milliseconds after the last move until the link to this moment is in the address. */
const SETTLED = 250;

/** @type {Player | null} */
let player = null;
/** @type {any} */
let app = null;
/** What this view wrote into the address last; another hash is a link that was followed. */
let written = '';
let timer = 0;

/** The player, made with the first rendering of the view; it then looks for a trace by itself. */
function playerOf(/** @type {any} */ state) {
  if (player !== null) return player;
  app = state;
  player = new Player(changed);
  for (const [kind, handle] of Object.entries({ dragover: onDrag, drop: onDrop })) addEventListener(kind, /** @type {any} */ (handle));
  const page = fromPage('trace');
  if (page) open(page, { isLinked: true });
  else if (state.mode === 'replay') openServed();
  return player;
}

async function openServed() {
  const play = playerOf(app);
  play.loading = 'Looking for the trace…';
  const [first, second] = await fromServer();
  play.loading = '';
  changed();
  if (first && (await open(first, { isLinked: true })) && second) await playerOf(app).load(second, { isOther: true });
}

/** Reads a trace. If it came with the page, the address may name a moment in it. */
async function open(/** @type {import('../replay/player.js').Source} */ source, { isLinked = false, eventsOnly = false } = {}) {
  const wanted = { ...app.route };
  const isRead = await playerOf(app).load(source, { eventsOnly });
  if (isRead && isLinked) follow(wanted);
  return isRead;
}

/** To the moment, observer and transition of a link. */
function follow(/** @type {Record<string, string>} */ route) {
  if (!player?.trace) return;
  if (route.trace && route.trace !== player.trace.fingerprint) {
    player.trace.notices.push('The link in the address is to another trace; this one is shown from its beginning.');
    return;
  }
  if (player.trace.nodes.includes(route.node)) player.observer = route.node;
  if (player.trace.nodes.includes(route.beside)) player.against = route.beside;
  const record = Number(route.record), at = Number(route.t);
  if (route.record && Number.isInteger(record)) player.seekRecord(record - 1);
  else if (route.t && Number.isFinite(at)) player.seek(at);
}

/** After every change of the player: the page is drawn again, and a moment later the address follows. */
function changed() {
  app.redraw();
  clearTimeout(timer);
  timer = setTimeout(() => {
    if (!player?.trace || player.isPlaying || app.route.view !== 'replay') return;
    const { trace, at, count, observer, against } = player;
    const isBetween = count === 0 || trace.times[count - 1] !== at;
    const place = isBetween ? { t: at.toFixed(6), record: '' } : { t: '', record: count };
    app.go({ ...place, trace: trace.fingerprint, node: observer, beside: against }, { replace: true });
    written = location.hash;
  }, SETTLED);
}

// -- files

function onDrag(/** @type {DragEvent} */ event) {
  if (app.route.view === 'replay') event.preventDefault();
}

function onDrop(/** @type {DragEvent} */ event) {
  const files = event.dataTransfer?.files;
  if (app.route.view !== 'replay' || !files?.length) return;
  event.preventDefault();
  openFiles([...files]);
}

async function openFiles(/** @type {File[]} */ files) {
  const [first, second] = files.map(fromFile);
  if ((await open(first)) && second) await playerOf(app).load(second, { isOther: true });
}

/** Opens a trace that another view has. */
export function openFile(/** @type {any} */ state, /** @type {File} */ file) {
  playerOf(state);
  return openFiles([file]);
}

function chooser(/** @type {string} */ label, /** @type {(files: File[]) => void} */ chosen, className = 'button') {
  const onChange = (/** @type {any} */ event) => {
    const files = [...event.target.files];
    event.target.value = '';
    if (files.length) chosen(files);
  };
  return html`<label class="${className} file">${label}<input type="file" class="hidden" accept=".jsonl,.gz,.json,.txt" @change=${onChange}></label>`;
}

// -- the view

export function view(/** @type {any} */ state) {
  const play = playerOf(state);
  if (play.trace && written && location.hash !== written && state.route.trace) {
    written = location.hash;
    follow(state.route);
  }
  return html`<div class="replay">
    <h1 class="hidden">Replay</h1>
    ${play.loading ? html`<p class="banner quiet" role="status">${play.loading}</p>` : nothing}
    ${play.error ? html`<p class="banner" role="alert">${play.error}.</p>` : nothing}
    ${question(play)}
    ${play.trace ? shown(state, play) : play.loading ? nothing : nothingYet(state)}
  </div>`;
}

function question(/** @type {Player} */ play) {
  if (!play.question) return nothing;
  const { source, isOther, text } = play.question;
  return html`<div class="banner" role="alertdialog" aria-label="A long trace"><p>${text}. Only its transitions and faults can be loaded; the tables are complete, the packets are not shown.</p>
    <div class="line"><button class="primary" @click=${() => (isOther ? play.load(source, { isOther, eventsOnly: true }) : open(source, { eventsOnly: true }))}>Load events only</button>
    <button @click=${() => { play.question = null; play.changed(); }}>Do not load it</button></div></div>`;
}

function nothingYet(/** @type {any} */ state) {
  return html`${empty(html`Drop a trace here: the JSON lines that <code>swim sim run --trace</code> or <code>swim cluster --trace</code> writes.`,
    html`<div class="line">${chooser('Open a trace…', openFiles, 'button primary')}${state.mode === 'cluster'
      ? html`<button @click=${() => open(fromCluster(state.home))}>What happened so far</button>` : nothing}<button @click=${startTour}>A crash in six steps</button></div>
      <p class="commands">${cli(state, 'swim sim run kill-k --seed 1 --play')}<br>${cli(state, 'swim sim play run.jsonl')}</p>`)}`;
}

async function startTour() {
  if (await open(tourSource())) goTo(/** @type {Player} */ (player), 0);
}

function shown(/** @type {any} */ state, /** @type {Player} */ play) {
  const trace = /** @type {import('../replay/trace.js').Trace} */ (play.trace);
  return html`${trace.notices.map((notice) => html`<p class="banner quiet">${notice}</p>`)}
    <div class="line run"><h2><bdi>${runTitle(trace.header)}</bdi></h2><span class="faint"><bdi>${trace.name}</bdi>, ${trace.records.length.toLocaleString('en')} records</span><span class="grow"></span>
      ${state.mode === 'cluster' ? html`<button @click=${() => open(fromCluster(state.home))}>So far</button>` : nothing}${chooser('Open…', openFiles)}${chooser('Compare…', ([file]) => play.load(fromFile(file), { isOther: true }))}
      <button @click=${startTour}>Tour</button></div>
    ${tourPanel(play)}
    <div class="panel timeline">${transport(play)}${lanes(play, state.narrow)}</div>
    ${violations(play)}${comparison(play)}
    <div class="grid">
      <div class="column">${picture(state, play)}
        ${tableOf(play)}</div>
      <div class="column">${whyPanel(play)}${recordPanel(play)}</div>
    </div>
    ${fork(state, play)}`;
}

function transport(/** @type {Player} */ play) {
  const trace = /** @type {import('../replay/trace.js').Trace} */ (play.trace);
  const button = (/** @type {string} */ sign, /** @type {string} */ label, /** @type {() => void} */ act, /** @type {string} */ keys) =>
    html`<button class="jump" aria-label=${label} title="${label} (${keys})" @click=${act}><span aria-hidden="true">${sign}</span></button>`;
  const silence = play.skips && play.isPlaying ? play.pace.silence(play.at) : 0;
  return html`<div class="transport line">
    <span class="group">
      ${button('⇤', 'Previous fault', () => play.step('fault', -1), 'Alt ←')}
      ${button('◀◀', 'Previous transition', () => play.step('transition', -1), 'Shift ←')}
      ${button('◀', 'Previous record', () => play.step('record', -1), '←')}
    </span>
    <button class="primary play" aria-label=${play.isPlaying ? 'Pause' : 'Play'} title="Play or pause (space)" @click=${() => play.toggle()}><span aria-hidden="true">${play.isPlaying ? '❚❚' : '▶'}</span></button>
    <span class="group">
      ${button('▶', 'Next record', () => play.step('record', 1), '→')}
      ${button('▶▶', 'Next transition', () => play.step('transition', 1), 'Shift →')}
      ${button('⇥', 'Next fault', () => play.step('fault', 1), 'Alt →')}
    </span>
    <output class="now"><b>${play.at.toFixed(3)}</b> <span class="faint">/ ${clock(trace.end)}</span>${silence ? html` <span class="chip silence">+${silence.toFixed(1)} s</span>` : nothing}</output>
    <span class="grow"></span>
    <button class="quiet mark" aria-pressed=${play.marks.includes(play.at)} title="Mark this moment (m)" @click=${() => play.mark()}>${play.marks.includes(play.at) ? '◆' : '◇'} mark</button>
    <label class="check"><input type="checkbox" .checked=${play.skips} @change=${(/** @type {any} */ event) => play.skip(event.target.checked)}> skip silence</label>
    <label>speed <select @change=${(/** @type {any} */ event) => { play.speed = Number(event.target.value); play.changed(); }}>${play.speeds.map((speed) =>
      html`<option value=${speed} ?selected=${speed === play.speed}>${speed < 1 ? `1/${Math.round(1 / speed)}` : `${speed}×`}</option>`)}</select></label>
  </div>`;
}

/** The packets in space, on a ring; or in time, as a diagram. */
function picture(/** @type {any} */ state, /** @type {Player} */ play) {
  const isDiagram = state.route.as === 'diagram';
  const turn = (/** @type {string} */ as, /** @type {boolean} */ isOn, /** @type {string} */ label) =>
    html`<button class="small" aria-pressed=${isOn} @click=${() => state.go({ as }, { replace: true })}>${label}</button>`;
  return html`<section class="panel ring-panel" aria-labelledby="space"><div class="line"><h2 id="space">${isDiagram
    ? 'Packets around this moment' : html`Nodes as <bdi>${play.observer}</bdi> lists them`}</h2><span class="grow"></span>
    <span class="group">${turn('', !isDiagram, 'ring')}${turn('diagram', isDiagram, 'diagram')}</span></div>
    ${isDiagram ? diagram(play) : space(play)}${legend(/** @type {any} */ (play.trace))}</section>`;
}

function legend(/** @type {import('../replay/trace.js').Trace} */ trace) {
  if (!trace.flights.length) return html`<p class="faint">This trace has transitions and faults only, no packets.</p>`;
  return html`<ul class="legend packets">${PACKETS.map((kind) => html`<li class="packet" data-packet=${kind}>${kind}</li>`)}<li class="packet" data-packet="lost">lost ✕</li></ul>`;
}

/** The command that makes the run again up to this moment, and one that checks that it is the same. */
function fork(/** @type {any} */ state, /** @type {Player} */ play) {
  const { header, name } = /** @type {import('../replay/trace.js').Trace} */ (play.trace);
  const { made = {}, seed } = header;
  if (made.by !== 'scenario') return nothing;
  const options = [...Object.entries(made.options ?? {}).map(([key, value]) => `--${key.replaceAll('_', '-')} ${quoted(value)}`),
    ...Object.entries(made.settings ?? {}).map(([key, value]) => `--set ${quoted(`${key}=${value}`)}`)];
  const until = (Math.ceil(play.at * 1000) / 1000).toFixed(3);
  return html`<p class="commands">Run it again up to this moment: ${cli(state, ['swim sim run', quoted(made.name), `--seed ${seed}`, ...options, `--until ${until}`, '--play'].join(' '))}
    ${cli(state, `swim sim replay ${quoted(name)}`)}</p>`;
}

/** A word of a shell's command line. */
function quoted(/** @type {unknown} */ value) {
  const text = String(value);
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

/** Keys of this view; true if one was handled. */
export function onKey(/** @type {any} */ state, /** @type {KeyboardEvent} */ event) {
  if (!player?.trace) return false;
  const play = player;
  const isButton = event.target instanceof HTMLElement && event.target.closest('button, summary, a');
  const what = event.altKey ? 'fault' : event.shiftKey ? 'transition' : 'record';
  const nodes = play.trace?.nodes ?? [];
  const turn = (/** @type {number} */ by) => {
    play.observer = nodes[(nodes.indexOf(play.observer) + by + nodes.length) % nodes.length] ?? '';
    play.changed();
  };
  /** @type {Record<string, () => void>} */
  const acts = {
    ArrowLeft: () => play.step(what, -1),
    ArrowRight: () => play.step(what, 1),
    ',': () => play.step('record', -1),
    '.': () => play.step('record', 1),
    Home: () => play.seek(0),
    End: () => play.seek(play.trace?.end ?? 0),
    m: () => play.mark(),
    n: () => play.step('mark', 1),
    p: () => play.step('mark', -1),
    '[': () => turn(-1),
    ']': () => turn(1),
  };
  if (event.key === ' ' && !isButton) play.toggle();
  else if (Object.hasOwn(acts, event.key)) acts[event.key]();
  else return false;
  return true;
}
