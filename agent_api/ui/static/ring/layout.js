// @ts-check
/** Where each member stands in the picture of the overview. Pure but for what it keeps of earlier pictures. */

/** The picture in its own units: its middle is 0, 0. A narrow screen has no labels, and needs no room for them. */
export const boxOf = (isNarrow) => (isNarrow ? { x: -200, y: -200, width: 400, height: 400 } : { x: -290, y: -212, width: 580, height: 424 });
export const RADIUS = 172;
const LABEL = 18;

/** A number from a name, the same on every page. */
export function hash(text) {
  let value = 2166136261;
  for (let index = 0; index < text.length; index += 1) value = Math.imul(value ^ text.charCodeAt(index), 16777619);
  value = Math.imul(value ^ (value >>> 15), 0x2c1b3c6d);
  return (value ^ (value >>> 13)) >>> 0;
}

/** A label: the beginning of what is too long for the picture. */
export function brief(text) {
  const letters = [...text];
  return letters.length > LABEL ? `${letters.slice(0, LABEL - 1).join('')}…` : text;
}

export const at = (angle, radius = RADIUS) => ({ x: radius * Math.sin(angle), y: -radius * Math.cos(angle), angle });

/**
 * Angles by name, in the order of a hash. Those that are known stay: a newcomer stands between its neighbours. Where
 * that has become too narrow, all are placed again.
 * @param {Map<string, number>} known
 */
function angles(known, names) {
  const sorted = [...names].sort((a, b) => hash(a) - hash(b) || (a < b ? -1 : 1));
  const step = (2 * Math.PI) / sorted.length;
  const even = () => new Map(sorted.map((name, index) => [name, index * step]));
  if (!sorted.some((name) => known.has(name))) return even();
  const kept = sorted.filter((name) => known.has(name)).map((name) => known.get(name) ?? 0);
  const found = new Map();
  for (const [index, name] of sorted.entries()) {
    const before = found.get(sorted[index - 1]) ?? kept[kept.length - 1] - 2 * Math.PI;
    const next = sorted.slice(index + 1).find((each) => known.has(each));
    found.set(name, known.get(name) ?? (before + (next === undefined ? kept[0] + 2 * Math.PI : known.get(next))) / 2);
  }
  const list = [...found.values()];
  const isNarrow = list.some((angle, index) => (index + 1 < list.length ? list[index + 1] : list[0] + 2 * Math.PI) - angle < step / 3);
  return isNarrow || sorted.length < known.size / 2 ? even() : found;
}

/** All members on one ring. */
export function ring(kept, names) {
  kept.angles = angles(kept.angles ?? new Map(), names);
  return new Map([...kept.angles].map(([name, angle]) => [name, at(angle)]));
}

/** The tag that groups members best: `dc` or `region`, else the one with the fewest values above one; "" if none does. */
export function groupTag(members) {
  const values = new Map();
  for (const m of members) for (const [key, value] of Object.entries(m.tags)) values.set(key, (values.get(key) ?? new Set()).add(value));
  for (const key of ['dc', 'region']) if ((values.get(key)?.size ?? 0) > 1) return key;
  const [best] = [...values].filter(([, set]) => set.size > 1 && set.size <= 40).sort((a, b) => a[1].size - b[1].size);
  return best?.[0] ?? '';
}
