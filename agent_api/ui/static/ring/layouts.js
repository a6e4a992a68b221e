// @ts-check
/** Layouts beside the plain ring: one arc for each group, and a map by round-trip time. */
import { svg } from '../vendor/lit-html.js';
import { RADIUS, at, brief, hash } from './layout.js';
import { planeOf, rttOf } from './mds.js';

const MAP_AGE = 30_000; // ms
const MAP_MAX = 200; // members on the map
const CIRCLES = [0.1, 1, 5, 20, 100, 500]; // ms

/** All members on one ring, those of a group side by side; `arcs` are the groups, `guides` what is drawn of them. */
export function grouped(members, groupOf) {
  const groups = new Map();
  for (const m of members) groups.set(groupOf(m), [...(groups.get(groupOf(m)) ?? []), m]);
  const sorted = [...groups].sort(([a], [b]) => (a < b ? -1 : 1));
  const gap = sorted.length > 1 ? 0.12 : 0;
  const step = (2 * Math.PI - gap * sorted.length) / Math.max(1, members.length);
  const places = new Map();
  const arcs = [];
  let angle = gap / 2;
  for (const [key, list] of sorted) {
    arcs.push({ key, members: list, from: angle, to: angle + step * list.length });
    list.sort((a, b) => hash(a.name) - hash(b.name));
    list.forEach((m, index) => places.set(m.name, at(angle + step * (index + 0.5))));
    angle += step * list.length + gap;
  }
  return { places, arcs, guides: arcs.length > 1 ? arcs.map(arcLabel) : undefined };
}

/** A group, inside the ring: the names of its members are outside. */
function arcLabel({ key, members, from, to }) {
  const radius = RADIUS - 22;
  const { x, y } = at((from + to) / 2, RADIUS - 62);
  const [a, b] = [at(from, radius), at(to, radius)];
  const large = to - from > Math.PI ? 1 : 0;
  return svg`<path class="guide" d="M${a.x} ${a.y}A${radius} ${radius} 0 ${large} 1 ${b.x} ${b.y}"/><text class="group" x=${x} y=${y}>${brief(key)} · ${members.length}</text>`;
}

/** How far from the middle a round-trip time of so many ms is drawn. */
const reach = (ms, most) => (RADIUS * Math.log1p(ms * 5)) / Math.log1p(most * 5);

/**
 * Members around the observer: as far as their round-trip time, in the direction that the map of all distances gives,
 * with circles of equal time behind them.
 * Null if the observer has no coordinate.
 */
export function rttMap(coordinates, observer, names) {
  const centre = coordinates[observer];
  if (!centre) return null;
  const known = [observer, ...names.filter((name) => coordinates[name] && name !== observer)].slice(0, MAP_MAX);
  const distances = known.map((a) => known.map((b) => (a === b ? 0 : rttOf(coordinates[a], coordinates[b]))));
  const plane = planeOf(distances);
  const ms = distances[0].map((seconds) => seconds * 1000);
  const most = Math.max(1, ...ms);
  const places = new Map();
  known.forEach((name, index) => {
    const [x, y] = [plane[index][0] - plane[0][0], plane[index][1] - plane[0][1]];
    const angle = index ? Math.atan2(x, y || 1e-9) : 0;
    places.set(name, index ? at(angle, Math.max(16, reach(ms[index], most))) : at(0, 0));
  });
  const circles = CIRCLES.filter((each) => each <= most * 1.2).map((each) => ({ label: `${each} ms`, radius: reach(each, most) })).filter((each) => each.radius > 30).slice(-4);
  return { places, guides: circles.map((each) => svg`<circle class="guide" r=${each.radius}/><text class="scale" y=${-each.radius - 3}>${each.label}</text>`) };
}

/** Coordinates drift slowly: they are read for the map, and once more when it is older than half a minute. */
export async function readCoordinates(state) {
  if (performance.now() - (state.ui.coordinatesAt ?? -Infinity) < MAP_AGE) return;
  state.ui.coordinatesAt = performance.now();
  const answer = await state.ask('v1/swim/coordinates').catch(() => null);
  state.coordinates = answer && Object.fromEntries(answer.coordinates.map((each) => [each.name, each.coordinate]));
  state.redraw();
}
