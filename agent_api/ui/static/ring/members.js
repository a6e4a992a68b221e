// @ts-check
/** Members as the picture of the overview has them: where each stands, who accuses whom, and each in one sentence. */
import { span } from '../format.js';
import { lazy } from '../lazy.js';
import { stateOf } from '../store.js';
import { groupTag, ring } from './layout.js';

/** The layouts that most readers never choose. */
const layouts = lazy(() => import('./layouts.js'), 'ring/edges.css');
const filter = lazy(() => import('../filter.js'));

/** What the reader has chosen: the layout, the edges. */
export const layoutOf = (route) => (['rtt', 'group'].includes(route.layout) ? route.layout : 'ring');
export const edgesOf = (route) => new Set((route.edges ?? 'suspicion').split(','));

/** Who suspects a member: from the suspicion, else the one that the last line names. */
export function accusersOf(state, m) {
  if (m.suspicion) return m.suspicion.accusers;
  const line = state.store.latest.get(m.name);
  return line?.accuser ? [line.accuser] : [];
}

/** A member in one sentence. */
export function sentence(state, m) {
  const of = stateOf(m);
  const since = m.since ? `, since ${span(state.now - Date.parse(m.since))}` : '';
  const by = of === 'suspect' ? `, by ${accusersOf(state, m).join(', ') || 'a member'}` : '';
  return `${m.name}${m.name === state.observer ? ' (the observer)' : ''}: ${of}${since}${by}`;
}

/** What depends on the members' names and tags alone: it is made again only when those change. */
function kept(state, key, make) {
  const whole = [state.observer, state.store.roster, state.members.size].join(' ');
  const known = (state.ui.kept ??= {});
  if (known.whole !== whole) state.ui.kept = { whole };
  return (state.ui.kept[key] ??= { value: make() }).value;
}

/** The tag that groups the members. */
export const tagOf = (state, members) => kept(state, 'tag', () => groupTag(members));

/** Where each member stands, for the chosen layout. */
export function placed(state, members) {
  const wanted = layoutOf(state.route) === 'ring' ? null : layouts.get(state);
  if (layoutOf(state.route) === 'rtt') wanted?.readCoordinates(state);
  return kept(state, `${layoutOf(state.route)} ${Boolean(wanted)} ${state.ui.coordinatesAt} ${Boolean(state.coordinates)}`, () => place(state, members, wanted));
}

function place(state, members, wanted) {
  const layout = layoutOf(state.route);
  if (wanted && layout === 'rtt' && state.coordinates) {
    const map = wanted.rttMap(state.coordinates, state.observer, members.map((m) => m.name));
    if (map) return map;
  }
  const tag = wanted && layout === 'group' ? tagOf(state, members) : '';
  if (tag) return wanted.grouped([...members], (m) => m.tags[tag] ?? `no ${tag}`);
  return { places: ring((state.ui.ring ??= {}), members.map((m) => m.name)) };
}

/** Points at a member, or at none. */
export function hover(state, name) {
  if (state.ui.hover === name) return;
  state.ui.hover = name;
  state.redraw();
}

/** The test of the filter in the link; without one, nothing matches. */
export const isMatch = (state) => (state.route.filter && filter.get(state)?.filterOf(state.route.filter)) || (() => false);
