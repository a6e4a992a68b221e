// @ts-check
/** Who agrees with whom: the observers whose views are known, grouped by what they believe. Pure. */

/** Digests of views that never change again. */
const digests = new WeakMap();

/** What a view says of every member, as one text: equal for equal beliefs. */
function digest(members, isFixed) {
  const found = digests.get(members) ?? [...members.values()].map((m) => `${m.name}\n${m.status}`).sort().join('\n');
  if (isFixed) digests.set(members, found);
  return found;
}

/**
 * @returns {{ groups: string[][], known: number, wanted: number }} the groups of observers, the largest first; how many
 *   views are known, and how many members should have one
 */
export function agreementOf(store) {
  const by = new Map();
  let [known, wanted] = [0, 0];
  if (!store.views.size) known = 1; // nothing to compare with
  // The views have the observer's own among them.
  for (const [name, { members, isFixed }] of store.views) {
    if (!members) continue;
    known += 1;
    const key = digest(members, isFixed);
    by.set(key, [...(by.get(key) ?? []), name]);
  }
  for (const m of store.members.values()) wanted += m.status === 'alive' ? 1 : 0;
  const groups = [...by.values()].sort((a, b) => b.length - a.length);
  return { groups: known > 1 ? groups : [], known, wanted: Math.max(known, wanted) };
}
