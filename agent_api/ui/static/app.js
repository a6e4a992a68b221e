// @ts-check
/** The page: its state, where in it the reader is, and one rendering per frame. */
import { html, nothing, render } from './vendor/lit-html.js';
import { frame, preload } from './frame.js';
import { later } from './lazy.js';
import { sentenceOf } from './sentences.js';
import { Stream } from './stream.js';
import { fold, mergeSamples, newStore, note, samplesOf, viewOf, wallAt } from './store.js';

const LIVE = ['agent', 'cluster'];
const ALL = [...LIVE, 'replay'];

/** All views, in the order of their keys, and where they exist. One that `isWhole` shows the whole cluster. */
const VIEWS = [
  { id: 'overview', module: later('Overview', () => import('./views/overview.js'), 'overview.css'), modes: LIVE },
  { id: 'views', module: later('Views', () => import('./views/matrix.js'), 'lists.css', 'views.css'), modes: LIVE, isWhole: true },
  { id: 'members', module: later('Members', () => import('./views/members.js'), 'lists.css'), modes: LIVE },
  { id: 'events', module: later('Events', () => import('./views/events.js'), 'lists.css'), modes: LIVE },
  { id: 'health', module: later('Health', () => import('./views/health.js'), 'lists.css', 'overview.css'), modes: LIVE },
  { id: 'faults', module: later('Faults', () => import('./views/faults.js'), 'lists.css', 'views.css'), modes: ['cluster'], isWhole: true },
  { id: 'replay', module: later('Replay', () => loadKeys(import('./views/replay.js')), 'lists.css', 'replay.css'), modes: ALL },
  { id: 'explain', module: later('Explain', () => import('./views/explain.js'), 'lists.css', 'replay.css'), modes: ALL },
];

const WATCH = 'v1/swim/watch'; // of any agent
const TOKEN = 'swim-token';
const STAYS = 10_000; // ms
const mode = document.documentElement.dataset.mode ?? 'agent';
const root = /** @type {HTMLElement} */ (document.getElementById('app'));
const base = new URL('../', location.href);
const narrow = matchMedia('(max-width: 640px)');
const still = matchMedia('(prefers-reduced-motion: reduce)');

/**
 * What is on the screen as the address's hash. A link makes the same screen.
 * @returns {{ view: string, [parameter: string]: string }}
 */
function parseRoute(hash) {
  const [path, query] = hash.replace(/^#\/?/, '').split('?');
  return { ...Object.fromEntries(new URLSearchParams(query ?? '')), view: decodeURIComponent(path) };
}

/** The hash of a route; empty parameters are left out. */
function hashOf({ view, ...parameters }) {
  const kept = Object.entries(parameters).filter(([, value]) => value !== '' && value !== undefined && value !== null);
  const query = new URLSearchParams(kept.map(([key, value]) => [key, String(value)])).toString();
  return `#/${encodeURIComponent(view)}${query ? `?${query}` : ''}`;
}

/** The state that every view is given. */
export const state = {
  mode,
  views: VIEWS.filter((view) => view.modes.includes(mode)),
  store: newStore(),
  home: base, // where the page's server is
  base, // where the API of the observer is
  stream: /** @type {Stream | null} */ (null),
  cluster: /** @type {any} */ (null), // all nodes of `swim cluster`, null for an agent
  clusterStream: /** @type {Stream | null} */ (null),
  follow: /** @type {() => void} */ (() => undefined), // turns to what the link names, if it is not read yet
  route: parseRoute(location.hash),
  info: /** @type {any} */ (null), // the answer of /v1/swim/info, null while it is not known
  ui: /** @type {Record<string, any>} */ ({}), // what is neither in the link nor in the stream
  now: NaN, // the agent's time of day in ms
  narrow: narrow.matches,
  coordinates: /** @type {any} */ (null), // of members, by name
  isMoving: false, // whether a view shows what changes with time alone
  said: '', // the sentence for screen readers

  /** The name of the observer whose view is shown. */
  get observer() {
    return (this.cluster && this.store.self) || this.route.from || this.store.self;
  },
  /** All whose view can be shown. */
  get observers() {
    const names = [...this.store.views.keys()];
    return names.includes(this.store.self) ? names : [this.store.self, ...names];
  },
  /** The stream that the view on the screen shows. */
  get shownStream() {
    return this.cluster && this.view?.isWhole ? this.clusterStream : this.stream;
  },
  /** The view on the screen. */
  get view() {
    return this.views.find((each) => each.id === this.route.view);
  },
  /** The members as the observer sees them. */
  get members() {
    return this.cluster ? this.store.members : viewOf(this.store, this.route.from);
  },
  /** The link to another screen: this one with `changes`. */
  link(changes) {
    return hashOf({ ...this.route, ...changes });
  },
  /** Goes to another screen; small steps, such as a letter in a filter, leave no history. */
  go(changes, { replace = false } = {}) {
    const hash = this.link(changes);
    if (replace) history.replaceState(null, '', hash);
    else location.hash = hash;
    this.route = parseRoute(hash);
    this.follow();
    redraw();
  },
  redraw,
  /** Says a sentence to screen readers, before those of events. */
  say(sentence) {
    this.said = sentence;
    announced.at = performance.now();
    redraw();
  },
  async copy(text) {
    this.say(`${await navigator.clipboard?.writeText(text).then(() => 'Copied', () => '') || 'Cannot be copied here'}: ${text}`);
  },
  /** @returns {Record<string, string>} */
  headers() {
    const token = sessionStorage.getItem(TOKEN);
    return token ? { 'X-Nomad-Token': token } : {};
  },
  setToken(token) {
    if (token) sessionStorage.setItem(TOKEN, token);
    else sessionStorage.removeItem(TOKEN);
    this.stream?.start();
    redraw();
  },
  /** Label, keys, seeds and version of the agent; null if this token does not allow it. */
  async readInfo() {
    const info = await this.ask('v1/swim/info').catch(() => null);
    this.info = info && { ...info, readAt: wallAt(this.store, performance.now()) };
    redraw();
  },
  /** The parsed answer of the API; throws an error with `status`, `message` and `request`. */
  async ask(path, { method = 'GET', body = undefined } = {}) {
    const failed = (message, more) => Object.assign(new Error(message), { status: 0, request: '', ...more });
    const answer = await fetch(new URL(path, this.base), { method, body, headers: this.headers(), cache: 'no-store' }).catch((error) => {
      throw failed(error.message, {});
    });
    const text = await answer.text();
    if (!answer.ok) {
      const request = answer.headers.get('X-Request-Id') ?? '';
      throw failed(text.trim() || answer.statusText, { status: answer.status, request });
    }
    return text ? JSON.parse(text) : null;
  },
};

const QUIET = 2000; // ms between two sentences for screen readers
let announced = { number: 0, at: 0 };

/** Says the latest event to screen readers, at most one sentence in two seconds. */
function announce() {
  const last = state.store.feed.at(-1);
  const now = performance.now();
  if (!last || last.number === announced.number || now - announced.at < QUIET) return;
  announced = { number: last.number, at: now };
  if (last.kind !== 'snapshot') state.said = sentenceOf(last);
}

let isDue = false;

/** Opens the dialogs that a rendering has added: only then do they keep the focus. */
const openDialogs = () => root.querySelectorAll('dialog:not([open])').forEach((each) => /** @type {HTMLDialogElement} */ (each).showModal());

/** Renders before the next frame, once, however often it is asked to. */
function redraw() {
  if (isDue) return;
  isDue = true;
  requestAnimationFrame(() => {
    isDue = false;
    announce();
    state.now = wallAt(state.store, performance.now());
    const { shownStream: stream, view } = state;
    if (stream?.state === 'waiting') state.now = wallAt(state.store, stream.lastAt);
    document.title = `${view?.module.title ?? 'swim'} · ${state.store.self || 'swim'}`;
    state.isMoving = false;
    render(frame(state, view), root);
    view?.module.onDrawn(state);
    openDialogs();
    if (state.isMoving && !document.hidden) setTimeout(redraw, still.matches ? 1000 : 100);
  });
}

function onRoute() {
  state.route = parseRoute(location.hash);
  if (!state.views.some((view) => view.id === state.route.view)) {
    history.replaceState(null, '', state.link({ view: state.views[0].id }));
    state.route = parseRoute(location.hash);
  }
  state.follow();
  redraw();
}

/** What the stream does not say, for each connection. */
async function readRest() {
  await state.readInfo();
  const history = await state.ask('v1/swim/metrics/history').catch(() => null);
  if (history) state.store.samples = mergeSamples(samplesOf(history), state.store.samples);
  redraw();
}

let before = '';

let askOthers = /** @type {() => void} */ (() => undefined);

function onStream() {
  const { stream, store } = state;
  if (stream?.state === 'live') askOthers();
  if (stream && stream.state !== before) {
    if (stream.state === 'live') {
      readRest();
      if (before === 'waiting') note(store, { kind: 'reconnect', at: wallAt(store, stream.lastAt) });
    }
    before = stream.state;
  }
  redraw();
}

/** Reads the stream of the agent whose API is there, from now on. */
function watch(at) {
  const stream = new Stream({
    url: new URL(WATCH, at).href,
    headers: () => state.headers(),
    onLine: (line) => fold(state.store, line, performance.now()),
    onChange: onStream,
  });
  before = '';
  stream.start();
  return stream;
}

/** What this page follows, by where it runs. */
async function follow() {
  if (mode === 'agent') {
    state.stream = watch(base);
    state.follow = askOthers = (await import('./others.js')).followOthers(state);
    askOthers();
  }
  if (mode === 'cluster') (await import('./following.js')).followCluster(state, base, watch);
}

let keys = /** @type {any} */ (null);

/** Loads what the keys do: with the first one, or before a view whose keys mean something else to the browser. */
const loadKeys = (view) => import('./keys.js').then((module) => { keys = module; return view; }, () => view);

async function onKey(event) {
  if (!keys) {
    const { key, ctrlKey, metaKey, target } = event;
    if (ctrlKey || metaKey ? key === 'k' : key === '/' && target.tagName !== 'INPUT') event.preventDefault();
    await loadKeys();
  }
  keys?.onKey(state, event);
}

addEventListener('hashchange', onRoute);
addEventListener('keydown', onKey);
narrow.addEventListener('change', () => {
  state.narrow = narrow.matches;
  redraw();
});
// A page that stays open shows all views, also while the agent does not answer.
setTimeout(() => {
  preload(state);
  loadKeys();
  state.views.forEach(({ modes, module }) => modes !== ALL && module.load(state));
}, STAYS);
// Ages grow: once a second, and only while the page can be seen.
setInterval(() => document.hidden || redraw(), 1000);
document.addEventListener('visibilitychange', redraw);
if (mode !== 'cluster') onRoute();
follow().then(onRoute);
