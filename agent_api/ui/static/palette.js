// @ts-check
/** The command palette: members, views and verbs, found by a few letters. */
import { html, nothing } from './vendor/lit-html.js';
import { askForceLeave, askJoin, askLeave } from './actions.js';
import { filterOf } from './filter.js';
import { hostPort } from './member.js';
import { icon, stateGlyph } from './parts.js';
import { stateOf } from './store.js';

const SHOWN_MAX = 12;

function entriesOf(state, text) {
  const words = text.trim().toLowerCase();
  const has = (title) => title.toLowerCase().includes(words);
  const found = state.views.filter((each) => has(each.module.title)).map((each) => (
    { mark: icon(each.id), title: each.module.title, note: 'view', run: () => state.go({ view: each.id, member: '' }) }));
  const verb = (title, note, run) => has(title) && found.push({ mark: icon('faults'), title, note, run });
  const [first, ...rest] = text.trim().split(/\s+/);
  const target = first === 'force-leave' ? state.members.get(rest.join(' ')) : undefined;
  if (target) found.push({ mark: icon('faults'), title: `force-leave ${target.name}`, note: 'command', run: () => askForceLeave(state, [target.name]) });
  if (state.mode === 'agent') {
    verb('join…', 'command', () => askJoin(state));
    verb('leave…', 'command', () => askLeave(state));
  }
  verb('token…', 'command', () => (state.ui.token = true));
  verb('keyboard help', 'help', () => (state.ui.help = true));
  const matches = filterOf(text);
  if (words) {
    for (const m of state.members.values()) {
      if (found.length >= SHOWN_MAX) break;
      if (matches(m)) found.push({ mark: stateGlyph(stateOf(m)), title: m.name, note: hostPort(m), run: () => state.go({ member: m.name }) });
    }
  }
  return found.slice(0, SHOWN_MAX);
}

/** The dialog. */
export function palette(state) {
  const open = state.ui.palette;
  const entries = entriesOf(state, open.text);
  const at = Math.min(open.at, entries.length - 1);
  const close = () => { state.ui.palette = null; state.redraw(); };
  const choose = (entry) => {
    /** @type {HTMLDialogElement | null} */ (document.querySelector('dialog[open]'))?.close();
    state.ui.palette = null;
    entry?.run();
    state.redraw();
  };
  const onKey = (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) open.at = (at + step + entries.length) % entries.length;
    else if (event.key === 'Enter') choose(entries[at]);
    else return;
    event.preventDefault();
    state.redraw();
  };
  return html`<dialog class="palette" aria-label="Command palette" @close=${close}>
    <input type="text" role="combobox" aria-label="Member, view or command" aria-expanded="true" aria-controls="found" aria-activedescendant=${entries.length ? `found-${at}` : nothing}
      placeholder="Member, address, tag, view or command" spellcheck="false" autocomplete="off" .value=${open.text}
      @input=${(event) => { Object.assign(open, { text: event.target.value, at: 0 }); state.redraw(); }} @keydown=${onKey}>
    ${entries.length ? nothing : html`<p class="faint" role="status">Nothing matches.</p>`}
    <ul id="found" role="listbox" aria-label="Found">${entries.map((entry, index) => html`<li role="option" id="found-${index}" aria-selected=${index === at} @click=${() => choose(entry)}>
      ${entry.mark}<bdi class="grow name">${entry.title}</bdi><span class="faint">${entry.note}</span></li>`)}</ul></dialog>`;
}
