// @ts-check
/** What the picture shows, as a table: states, and who accuses whom until when. */
import { html, nothing } from '../vendor/lit-html.js';
import { span } from '../format.js';
import { ago, name, stateGlyph } from '../parts.js';
import { SEVERITY, stateOf } from '../store.js';
import { accusersOf } from './members.js';

const TABLE_MAX = 200;

/** The worst come first. */
export function membersTable(state) {
  const list = [...state.members.values()].sort((a, b) => SEVERITY[stateOf(a)] - SEVERITY[stateOf(b)] || (a.name < b.name ? -1 : 1));
  const left = (m) => (m.suspicion ? `, failed in ${span(Date.parse(m.suspicion.deadline) - state.now)}` : '');
  return html`<div class="scroll"><table><thead><tr><th scope="col">Name</th><th scope="col">Status</th><th scope="col">Since</th><th scope="col">Suspected by</th></tr></thead>
    <tbody>${list.slice(0, TABLE_MAX).map((m) => html`<tr><td><a href=${state.link({ member: m.name })}>${name(m.name)}</a></td><td>${stateGlyph(stateOf(m))} ${stateOf(m)}</td><td>${ago(state, m.since)}</td>
      <td>${m.is_suspect ? html`<bdi>${accusersOf(state, m).join(', ')}</bdi>${left(m)}` : '–'}</td></tr>`)}</tbody></table></div>
    ${list.length > TABLE_MAX ? html`<p><a href=${state.link({ view: 'members', table: '' })}>and ${(list.length - TABLE_MAX).toLocaleString('en')} more</a></p>` : nothing}`;
}
