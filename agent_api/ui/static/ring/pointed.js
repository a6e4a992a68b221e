// @ts-check
/** The member that is pointed at: a few lines beside it, and keys that go to the next one. */
import { html, nothing } from '../vendor/lit-html.js';
import { span } from '../format.js';
import { hostPort, millis } from '../member.js';
import { GLYPH, stateOf } from '../store.js';
import { boxOf } from './layout.js';

/** Nothing while it has no place in the picture. */
export function tooltip(state) {
  const m = state.members.get(state.ui.hover);
  const place = state.ui.placed?.get(state.ui.hover);
  if (!m || !place) return nothing;
  const box = boxOf(state.narrow);
  const [x, y] = [(100 * (place.x - box.x)) / box.width, (100 * (place.y - box.y)) / box.height];
  return html`<div class="tooltip" role="tooltip" .style=${`left:${x}%;top:${y}%;translate:${x > 50 ? 'calc(-100% - 16px)' : '16px'} ${y > 50 ? '-100%' : '0'}`}>
    <b><bdi>${m.name}</bdi></b><span class="state" data-state=${stateOf(m)}>${GLYPH[stateOf(m)]} ${stateOf(m)}${m.since ? ` for ${span(state.now - Date.parse(m.since))}` : ''}</span>
    <span class="mono">${hostPort(m)}</span><span>incarnation ${m.incarnation}${m.rtt ? `, ${millis(m.rtt)} ms` : ''}</span>
    ${m.last_ack ? html`<span>last ack ${span(state.now - Date.parse(m.last_ack))} ago</span>` : nothing}
    <span class="faint"><bdi>${Object.entries(m.tags).slice(0, 4).map((tag) => tag.join('=')).join(' ')}</bdi></span></div>`;
}

/** Arrow keys go around the ring; Enter opens the member. */
export function turn(state, event) {
  const names = [...(state.ui.placed?.entries() ?? [])].sort((a, b) => a[1].angle - b[1].angle).map(([name]) => name);
  const step = { ArrowRight: 1, ArrowDown: 1, j: 1, ArrowLeft: -1, ArrowUp: -1, k: -1 }[event.key];
  const current = state.ui.hover ?? state.observer;
  if (event.key === 'Enter' || event.key === ' ') state.go({ member: current });
  else if (!step) return;
  else {
    const next = names[(names.indexOf(current) + step + names.length) % names.length];
    state.ui.hover = next;
    state.redraw();
    requestAnimationFrame(() => /** @type {any} */ (document.querySelector('.ring [tabindex="0"]'))?.focus());
  }
  event.preventDefault();
  event.stopPropagation();
}
