// @ts-check
/** The keyboard: what every key of the page does. */

const isTyping = (target) => target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));

/** Moves the focus among the rows that are on the screen. */
function moveRow(delta) {
  const rows = [...document.querySelectorAll('main [data-row]')];
  const at = rows.indexOf(/** @type {any} */ (document.activeElement?.closest('[data-row]')));
  const next = /** @type {HTMLElement | undefined} */ (rows[at < 0 ? (delta > 0 ? 0 : rows.length - 1) : at + delta]);
  next?.focus();
  next?.scrollIntoView({ block: 'nearest' });
}

/** Opens the command palette. */
function openPalette(state) {
  state.ui.palette = { text: '', at: 0 };
  state.redraw();
}

function moveObserver(state, delta) {
  const names = state.observers;
  const at = names.indexOf(state.observer);
  const next = names[(at + delta + names.length) % names.length];
  state.go({ from: next === state.store.self && !state.cluster ? '' : next });
}

/** The command that stands beside what is focused, or in its row. */
function commandOf(element) {
  const near = element?.closest('[data-cli], [data-row], .action, dialog, aside');
  return near?.dataset.cli ?? near?.querySelector('[data-cli]')?.dataset.cli ?? '';
}

/** Handles one key. */
export function onKey(state, event) {
  const view = state.views.find((each) => each.id === state.route.view)?.module;
  if (event.key.toLowerCase() === 'k' && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    return openPalette(state);
  }
  if (document.querySelector('dialog[open]')) return; // it handles its own keys
  if (event.key === 'Escape') {
    if (isTyping(event.target)) /** @type {HTMLElement} */ (event.target).blur();
    else if (state.route.member) state.go({ member: '' });
    else if (state.route.filter) state.go({ filter: '' });
    return;
  }
  if (isTyping(event.target) || event.ctrlKey || event.metaKey) return;
  if (view?.onKey?.(state, event)) {
    event.preventDefault();
    return;
  }
  if (event.altKey) return;
  const actions = {
    '/': () => {
      const field = /** @type {HTMLInputElement | null} */ (document.querySelector('[data-filter]'));
      if (field) field.select();
      else openPalette(state);
    },
    '?': () => (state.ui.help = true),
    '[': () => moveObserver(state, -1),
    ']': () => moveObserver(state, 1),
    j: () => moveRow(1),
    k: () => moveRow(-1),
    ArrowDown: () => moveRow(1),
    ArrowUp: () => moveRow(-1),
    c: () => {
      const command = commandOf(document.activeElement);
      if (command) state.copy(command);
    },
    R: () => state.shownStream?.retry(),
  };
  if (/^[1-9]$/.test(event.key)) {
    const next = state.views[Number(event.key) - 1];
    if (next) state.go({ view: next.id });
  } else if (Object.hasOwn(actions, event.key)) {
    actions[event.key]();
  } else return;
  event.preventDefault();
  state.redraw();
}
