// @ts-check
/** What asks or helps, over every view: help, token, actions, and the palette. */
import { html } from './vendor/lit-html.js';
import { actionDialog } from './actions.js';
import { palette } from './palette.js';
import { stateMark } from './member.js';
import { cli, icon } from './parts.js';

/** Keys, and what they do. */
const KEYS = [
  ['1 – 9', 'views'],
  ['/', 'filter'],
  ['Ctrl K', 'command palette'],
  ['j k ↓ ↑', 'next and previous row'],
  ['Enter', 'detail of the row'],
  ['Esc', 'close, back'],
  ['[ ]', 'previous and next observer'],
  ['c', 'copy the command of what is focused'],
  ['space', 'pause the events'],
  ['R', 'reconnect now'],
  ['?', 'this help'],
];

/** The dialog that is open. */
export function dialog(state) {
  const { ui } = state;
  return ui.action ? actionDialog(state) : ui.palette ? palette(state) : ui.token ? tokenDialog(state) : ui.more ? more(state) : help(state);
}

/** Closes a dialog that `state.ui[key]` has opened. */
const closes = (state, key) => () => {
  state.ui[key] = null;
  state.redraw();
};

/** The views that have no place in the bar of a narrow screen. */
function more(state) {
  const close = closes(state, 'more');
  return html`<dialog class="more" aria-labelledby="more" @close=${close}>
    <h2 id="more">Views</h2>
    ${state.ui.more.map((each) => html`<a href=${state.link({ view: each.id, member: '' })} aria-current=${each === state.view ? 'page' : 'false'} @click=${close}>${icon(each.id)}${each.module.title}</a>`)}
    <form method="dialog"><button>Close</button></form></dialog>`;
}

/** The keys of the view that is shown. */
const keysOf = (state) => state.views.find((each) => each.id === state.route.view)?.module.keys;

function help(state) {
  return html`<dialog aria-labelledby="help" @close=${closes(state, 'help')}>
    <h2 id="help">Keyboard</h2>
    <dl class="keys">${[...KEYS, ...(keysOf(state) ?? [])].map(([keys, what]) => html`<dt><kbd>${keys}</kbd></dt><dd>${what}</dd>`)}</dl>
    <h2>States</h2>
    <p class="legend">${['alive', 'suspect', 'leaving', 'left', 'failed'].map(stateMark)}</p>
    <form method="dialog"><button class="primary">Close</button></form></dialog>`;
}

function tokenDialog(state) {
  return html`<dialog aria-labelledby="token" @close=${closes(state, 'token')}>
    <h2 id="token">Token</h2>
    <p>Kept in this tab until it is closed, and sent as <code>X-Nomad-Token</code>; never in a link.</p>
    ${tokenForm(state)}
    <form method="dialog" class="line"><button>Close</button><button class="quiet" @click=${() => state.setToken('')}>Forget it</button></form></dialog>`;
}

/** Takes a token for this tab. */
function tokenForm(state) {
  const send = (event) => {
    event.preventDefault();
    state.ui.token = false;
    state.setToken(new FormData(event.target).get('token'));
  };
  return html`<form class="line" @submit=${send}>
    <label>Token <input name="token" type="password" autocomplete="off" spellcheck="false" size="38"></label>
    <button class="primary">Use it</button></form>`;
}

/** What stands in place of a view that this token does not allow. */
export function forbidden(state) {
  return html`<section class="empty"><h1>A token is needed</h1>
    <p>The agent answers: <q>${state.stream.error}</q>. Reading members takes the capability <code>node:read</code>.</p>
    ${tokenForm(state)}
    <p class="faint">Kept in this tab only, and sent as a header. ${cli(state, 'swim token create NAME --policy node:read')}</p></section>`;
}
