// @ts-check
/** Breaks the cluster: processes and the network between them, and how fast the others notice. */
import { html, nothing, svg } from '../vendor/lit-html.js';
import { keepFocus, ring, stateWord, zones } from '../board.js';
import { cellState, isRunning, namesOf } from '../cluster.js';
import { span } from '../format.js';
import { stateMark } from '../member.js';
import { ago, cli, name } from '../parts.js';
import { recordButton } from '../record.js';
import { delayVerb, groupOf, lossVerb, oneWayCuts, recipesOf, scriptLine, splitVerb } from '../script.js';

const LISTED = 200; // nodes that are listed
const KEYS = { K: 'kill', P: 'pause', U: 'resume', R: 'restart', L: 'leave' };
const ASKED = 'swim-fault-keys';

export function view(state) {
  const { cluster } = state;
  const names = namesOf(cluster);
  const actions = { do: (verb) => run(state, verb) };
  return html`<div class="faults"><h1 class="hidden">Faults</h1>
    ${detection(state)}
    ${state.ui.faultError ? html`<div class="failure" role="alert"><p><bdi>${state.ui.faultError}</bdi></p><button class="small" @click=${() => { state.ui.faultError = ''; state.redraw(); }}>Close</button></div>` : nothing}
    <div class="faults-body">
      ${nodes(state, names, actions)}
      ${network(state, names, actions)}
    </div>
    ${recipes(state, actions)}
    ${script(state, actions)}</div>`;
}

/** Sends a command; what the parser says to a wrong one stays on the screen. */
async function run(state, verb) {
  state.ui.faultError = '';
  await state.command(verb).then(
    (answer) => {
      state.ui.said = answer.help ?? '';
      state.say(`Done: ${verb}`);
    },
    (error) => { state.ui.faultError = error.message; },
  );
  state.redraw();
}

// -- processes

const VERBS = {
  running: ['kill', 'pause', 'restart', 'leave'],
  paused: ['kill', 'resume', 'restart'],
  killed: ['restart'],
  left: ['restart'],
};

function nodes(state, names, actions) {
  const { cluster } = state;
  return html`<section class="panel nodes-panel" aria-label="Nodes"><h2>Nodes</h2>
    <ul class="nodes">${names.slice(0, LISTED).map((each) => {
      const node = cluster.nodes.get(each);
      return html`<li data-node=${each} data-row tabindex="0" data-cli="kill ${node.number}" data-chosen=${state.ui.chosen?.has(each) ?? false}
          aria-label="${each}, ${node.state}"><span class="who">${name(each)}${stateMark(stateWord(node))}<span class="faint">${ago(state, node.since)}</span></span>
        <span class="verbs">${VERBS[node.state].map((verb) => html`<button class="small ${verb === 'kill' ? 'danger' : ''}" title="${verb} ${node.number}" aria-label="${verb} ${each}"
          @click=${() => actions.do(`${verb} ${node.number}`)}>${verb}</button>`)}</span></li>`;
    })}</ul>
    ${names.length > LISTED ? html`<p class="faint">and ${names.length - LISTED} more: choose them in the picture, or type a command</p>` : nothing}
    <div class="line"><button class="small" title="add" @click=${() => actions.do('add')}>+ add a node</button>
      <span class="faint keys-hint"><kbd>K</kbd> <kbd>P</kbd> <kbd>U</kbd> <kbd>R</kbd> <kbd>L</kbd> kill, pause, resume, restart, leave the one with the focus</span></div></section>`;
}

// -- the network

function network(state, names, actions) {
  const { cluster } = state;
  const { cuts, loss, delay } = cluster.links;
  const isCalm = !cuts.length && !loss && !delay;
  const chosen = [...(state.ui.chosen ?? [])].filter((each) => cluster.nodes.has(each));
  return html`<section class="panel network" aria-label="Network"><header class="line"><h2>Network</h2><span class="grow"></span>
      <button class="small ${isCalm ? '' : 'primary'}" title="heal" ?disabled=${isCalm} @click=${() => actions.do('heal')}>heal</button></header>
    <div class="network-body">
      ${ring(state, names, actions)}
      <div class="controls">
        <p class="faint">Drag a node to the other side, or draw a line around some.</p>
        ${zones(state, names, actions)}
        ${chosen.length ? selection(state, chosen, names, actions) : nothing}
        ${oneWay(state, names, actions)}
        ${slider(state, actions, { what: 'loss', max: 60, step: 1, value: Math.round(loss * 1000) / 10, unit: '%', word: 'percent', verbOf: (value) => lossVerb(value / 100) })}
        ${slider(state, actions, { what: 'delay', max: 500, step: 10, value: Math.round(delay * 1000), unit: 'ms', word: 'milliseconds', verbOf: (value) => delayVerb(value / 1000) })}
      </div></div></section>`;
}

const SETTLED_MS = 200;

/** A slider keeps what it was moved to until that is done: an answer to an earlier move must not move it back. */
function slider(state, actions, { what, max, step, value, unit, word, verbOf }) {
  const slid = state.ui.slid ??= {};
  const shown = slid[what]?.value ?? value;
  const move = (event) => {
    slid[what] = { ...slid[what], value: Number(event.target.value) };
    state.redraw();
  };
  const settle = () => {
    clearTimeout(slid[what]?.timer);
    slid[what] = { value: shown, ...slid[what], timer: setTimeout(async () => {
      const sent = slid[what];
      await actions.do(verbOf(sent.value));
      if (slid[what] === sent) slid[what] = undefined;
      state.redraw();
    }, SETTLED_MS) };
  };
  return html`<label class="slider"><span>${what}</span><input type="range" min="0" max=${max} step=${step} aria-valuetext="${shown} ${word}" .value=${String(shown)}
    @input=${move} @change=${settle}><output>${shown} ${unit}</output></label>`;
}

function selection(state, chosen, names, actions) {
  const { cluster } = state;
  const group = groupOf(cluster, chosen);
  const rest = names.filter((each) => !chosen.includes(each));
  const clear = () => { state.ui.chosen = new Set(); state.redraw(); };
  const act = (verb) => () => { actions.do(verb); clear(); };
  return html`<div class="chosen" role="region" aria-label="Chosen nodes"><b>${chosen.length} chosen</b>
    ${rest.length ? html`<button class="small" @click=${act(splitVerb(cluster, [rest, chosen]))}>cut off</button>` : nothing}
    ${['kill', 'pause', 'resume', 'restart', 'leave'].map((verb) => html`<button class="small ${verb === 'kill' ? 'danger' : ''}" title="${verb} ${group}" @click=${act(`${verb} ${group}`)}>${verb}</button>`)}
    <button class="quiet small" @click=${clear}>clear</button></div>`;
}

function oneWay(state, names, actions) {
  const { cluster } = state;
  const submit = (event) => {
    event.preventDefault();
    const form = new FormData(event.target);
    actions.do(`cut ${form.get('from')} -> ${form.get('to')}`);
  };
  const options = (at) => names.map((each, index) => html`<option value=${cluster.nodes.get(each).number} ?selected=${index === at}>${each}</option>`);
  const list = oneWayCuts(cluster);
  return html`<form class="line one-way" @submit=${submit}><span>one way</span><label><span class="hidden">from</span><select name="from">${options(0)}</select></label>
    <span aria-hidden="true">→</span><label><span class="hidden">to</span><select name="to">${options(1)}</select></label><button class="small">cut</button></form>
    ${list.length ? html`<p class="faint">cut one way: ${list.slice(0, 6).map(([source, target]) => `${source} → ${target}`).join(', ')}${list.length > 6 ? ', …' : ''}</p>` : nothing}`;
}

// -- how fast the others notice

/** The node that stopped last, and after how many ms each observer noticed. It stays when the node runs again. */
function roundOf(state) {
  const { cluster } = state;
  const [node] = [...cluster.nodes.values()].filter((each) => each.state === 'killed' || each.state === 'paused').sort((a, b) => (a.since < b.since ? 1 : -1));
  if (!node) return state.ui.round;
  const round = { name: node.name, state: node.state, at: Date.parse(node.since), seen: new Map() };
  for (const [observer, view] of cluster.views) {
    const cell = view.get(node.name);
    const after = (since) => (Date.parse(since ?? '') >= round.at ? Date.parse(since) - round.at : undefined);
    const word = cellState(cell);
    const seen = word === 'suspect' ? { suspect: after(cell.since) } : { suspect: after(cell?.suspected), failed: word === 'failed' ? after(cell.since) : undefined };
    round.seen.set(observer, seen);
  }
  return (state.ui.round = round);
}

function detection(state) {
  const round = roundOf(state);
  if (!round || !state.cluster.nodes.has(round.name)) return html`<p class="headline faint detection">Kill a node: how fast the others notice is timed here.</p>`;
  const now = state.now - round.at;
  const others = namesOf(state.cluster).filter((each) => each !== round.name && isRunning(state.cluster, each));
  const first = (word) => Math.min(...[...round.seen.values()].map((each) => each[word] ?? Infinity));
  const failed = others.map((each) => round.seen.get(each)?.failed);
  const isAll = others.length > 0 && failed.every((each) => each !== undefined);
  const last = isAll ? Math.max(...failed) : NaN;
  state.isMoving ||= !isAll && now < 60_000;
  const whole = Math.max(isAll ? last * 1.15 : now, 1000);
  const say = (ms) => (Number.isFinite(ms) ? `+${span(ms)}` : '…');
  return html`<div class="headline detection" role="status" aria-label="Detection of ${round.name}"><span>${name(round.name)} ${stateMark(round.state)} <span class="faint">${span(now)} ago</span></span>
    <span class="measure" data-state="suspect">first suspected <b>${say(first('suspect'))}</b></span>
    <span class="measure" data-state="failed">first failed <b>${say(first('failed'))}</b></span>
    <span class="measure" data-state="failed">${isAll ? html`all ${others.length} know <b>${say(last)}</b>` : html`${failed.filter((each) => each !== undefined).length} of ${others.length} know`}${bound(state)}</span>
    <svg class="track" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">${[...round.seen].flatMap(([, each]) => ['suspect', 'failed'].filter((word) => each[word] !== undefined).map((word) =>
      svg`<rect data-state=${word} x=${Math.min(99.2, (100 * each[word]) / whole)} width="0.8" height="10"/>`))}</svg></div>`;
}

/** How long it takes at most, by the formula that the simulator is checked with: for a network without cuts and loss. */
function bound(state) {
  const { links, plan } = state.cluster;
  if (!plan?.detection_bound || links.cuts.length || links.loss) return nothing;
  return html` <span class="faint" title="by the formula: every node notices by itself, after the longest suspicion">(bound ${span(1000 * plan.detection_bound)})</span>`;
}

// -- recipes, and the line that does it all again

function recipes(state, actions) {
  const list = recipesOf(state.cluster);
  return html`<section class="panel recipes" aria-label="Recipes"><h2>Recipes</h2>${list.length
    ? html`<div class="recipe-list">${list.map(([what, effect, verb]) => html`<button title=${verb} data-cli=${verb} @click=${() => actions.do(verb)}><b>${what}</b><span class="faint">${effect}</span></button>`)}</div>`
    : html`<p class="faint">They need three nodes that run.</p>`}</section>`;
}

function script(state, actions) {
  const { cluster } = state;
  if (!cluster.plan) return nothing;
  const submit = (event) => {
    event.preventDefault();
    const field = event.target.elements.verb;
    if (field.value.trim()) run(state, field.value.trim()).then(() => { if (!state.ui.faultError) field.value = ''; });
  };
  return html`<section class="panel script" aria-label="Script">
    <form class="line prompt" @submit=${submit}><span aria-hidden="true">&gt;</span><label class="whole"><span class="hidden">Command</span>
      <input name="verb" type="text" class="mono" autocomplete="off" spellcheck="false" placeholder="kill 3; 10s restart 3   (help lists all commands)"></label><button class="small">do it</button></form>
    ${state.ui.said ? html`<pre class="said">${state.ui.said}</pre>` : nothing}
    ${cluster.planned.length ? html`<p class="faint planned" role="status">${cluster.planned.slice(0, 4).map((each) => html`<span class="chip">in ${span(1000 * each.at - (state.now - cluster.zero))}: ${each.verb}</span> `)}${cluster.planned.length > 4 ? `and ${cluster.planned.length - 4} more` : nothing}</p>` : nothing}
    <p class="script-line">${cli(state, scriptLine(cluster))}</p>
    <div class="line"><a class="button" download="swim-cluster.jsonl" href=${new URL('v1/cluster/trace', state.home).href}>save trace</a>
      ${recordButton(state)}<span class="faint">What you do here is a script: paste it, and it happens again.</span></div></section>`;
}

export const onDrawn = keepFocus;

/** The keys of this view, for the node that has the focus. */
export function onKey(state, event) {
  const row = event.target.closest?.('[data-node], [data-piece]');
  const verb = KEYS[event.key.toUpperCase()];
  const node = row && state.cluster.nodes.get(row.dataset.node ?? row.dataset.piece);
  if (!verb || !node || !VERBS[node.state].includes(verb)) return false;
  const command = `${verb} ${node.number}`;
  if (sessionStorage.getItem(ASKED)) run(state, command);
  else ask(state, verb, node, command);
  return true;
}

/** The first time in a tab, a key asks. */
function ask(state, verb, node, command) {
  state.ui.action = {
    title: verb, command, isDangerous: true,
    effects: () => [`The key does this to ${node.name} at once. From now on, in this tab, it does so without asking.`],
    async go() {
      sessionStorage.setItem(ASKED, 'yes');
      await state.command(command);
      return `Done: ${command}`;
    },
  };
  state.redraw();
}
