// @ts-check
/** What the page can do: each asks first, with the effect in words, and shows the command that it equals. */
import { html, nothing } from './vendor/lit-html.js';
import { shell } from './member.js';
import { cli } from './parts.js';
import { note, stateOf } from './store.js';

/** What a force-leave of this member does. */
function effectOf(state, m, prune) {
  if (m.name === state.store.self) return `${m.name} is this agent: it will refute this. To make it leave, use “leave”.`;
  const forgotten = prune ? ' and forget it at once' : '';
  return {
    alive: `${m.name} is alive: it will refute this. Nothing will change.`,
    suspect: `${m.name} is suspected. If it runs, it will refute this; if not, all members list it as left${forgotten}.`,
    leaving: `${m.name} is leaving already. It becomes left${forgotten} in any case.`,
    failed: `All members will list ${m.name} as left${forgotten}. It can join again at any time.`,
    left: prune ? `All members will forget ${m.name}.` : `${m.name} has left already. Nothing will change.`,
  }[stateOf(m)] ?? '';
}

const OUTCOMES = {
  left: 'is left now', leaving: 'is leaving', 'already-left': 'had left already', refuted: 'refuted it: it is alive', pruned: 'is forgotten',
  unknown: 'is not known',
};

/** Runs one request; its sentence stays in the dialog and in the feed. */
async function run(state, request, say) {
  const dialog = state.ui.action;
  Object.assign(dialog, { busy: true, result: '' });
  state.redraw();
  const result = await request().then(say, (error) => `${error.status === 403 ? 'Not allowed with this token: ' : ''}${error.message}`);
  Object.assign(dialog, { busy: false, result });
  note(state.store, { kind: 'action', at: state.now, name: dialog.title, detail: result });
  state.say(result);
}

/** Asks whether members should be declared as left. */
export function askForceLeave(state, names, prune = false) {
  state.ui.action = {
    title: 'force-leave', prune,
    get command() {
      return names.map((each) => `swim force-leave ${shell(each)}${this.prune ? ' --prune' : ''}`).join('; ');
    },
    effects: (dialog) => names.map((each) => state.members.get(each)).filter(Boolean).map((m) => effectOf(state, m, dialog.prune)),
    canPrune: true,
    async go(dialog) {
      const results = [];
      for (const each of names) {
        const query = new URLSearchParams({ node: each, ...(dialog.prune ? { prune: 'true' } : {}) });
        const { outcome } = await state.ask(`v1/swim/force-leave?${query}`, { method: 'PUT' });
        results.push(`${each} ${OUTCOMES[outcome] ?? outcome}.`);
      }
      state.ui.selected?.clear();
      return results.join(' ');
    },
  };
  state.redraw();
}

/** Asks for addresses to join. */
export function askJoin(state) {
  state.ui.action = {
    title: 'join', address: '',
    get command() {
      return `swim join ${this.address.trim().split(/\s+/).map(shell).join(' ')}`;
    },
    effects: () => ['This agent exchanges its members with each address. Two clusters become one.'],
    wantsAddress: true,
    async go(dialog) {
      const query = new URLSearchParams(dialog.address.trim().split(/\s+/).map((each) => ['address', each]));
      const answer = await state.ask(`v1/swim/join?${query}`, { method: 'PUT' });
      return answer.addresses.map((each) => `${each.address}: ${each.ok ? 'joined' : each.error}.`).join(' ');
    },
  };
  state.redraw();
}

/** Asks whether this agent should leave the cluster. */
export function askLeave(state) {
  state.ui.action = {
    title: 'leave', command: 'swim leave', isDangerous: true,
    effects: () => [`${state.store.self} leaves the cluster, and its process ends. This page then has no agent.`],
    go: async () => {
      await state.ask('v1/swim/leave', { method: 'PUT' });
      return `${state.store.self} has left.`;
    },
  };
  state.redraw();
}

/** The dialog of the action that is asked for. */
export function actionDialog(state) {
  const dialog = state.ui.action;
  const close = () => { state.ui.action = null; state.redraw(); };
  const submit = (event) => {
    event.preventDefault();
    run(state, () => dialog.go(dialog), (text) => text);
  };
  const set = (key) => (event) => { dialog[key] = event.target[key === 'prune' ? 'checked' : 'value']; state.redraw(); };
  return html`<dialog aria-labelledby="action" @close=${close}>
    <h2 id="action">${dialog.title}</h2>
    <form @submit=${submit}>
      ${dialog.wantsAddress ? html`<p><label>Addresses <input class="whole" type="text" required placeholder="HOST:PORT" spellcheck="false" .value=${dialog.address} @input=${set('address')}></label></p>` : nothing}
      <ul class="effects">${dialog.effects(dialog).map((each) => html`<li><bdi>${each}</bdi></li>`)}</ul>
      ${dialog.canPrune ? html`<p><label><input type="checkbox" .checked=${dialog.prune} @change=${set('prune')}> also forget it at once (prune)</label></p>` : nothing}
      <p>${cli(state, dialog.command)}</p>
      ${dialog.result ? html`<p class="result" role="status"><bdi>${dialog.result}</bdi></p>` : nothing}
      <div class="line"><button class=${dialog.isDangerous ? 'danger' : 'primary'} ?disabled=${dialog.busy}>${dialog.busy ? 'Waiting for the outcome…' : dialog.title}</button>
        <button type="button" @click=${(event) => event.target.closest('dialog').close()}>Close</button></div>
    </form></dialog>`;
}
