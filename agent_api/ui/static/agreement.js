// @ts-check
/** Who agrees with whom: the observers whose views are known, grouped by what they believe. Pure. */

/** What a view says of every member, as one text: equal for equal beliefs. */
const digest = (members) => [...members.values()].map((m) => `${m.name}\n${m.status}`).sort().join('\n');

/**
 * @returns {{ groups: string[][], known: number, wanted: number }} the groups of observers, the largest first; how many
 *   views are known, and how many members should have one
 */
export function agreementOf(store) {
  const by = new Map();
  let [known, wanted] = [0, 0];
  // Of `swim cluster`, the views have the observer's own among them.
  for (const [name, { members }] of new Map([[store.self, { members: store.members }], ...store.views])) {
    if (!members) continue;
    known += 1;
    const key = digest(members);
    by.set(key, [...(by.get(key) ?? []), name]);
  }
  for (const m of store.members.values()) wanted += m.status === 'alive' ? 1 : 0;
  const groups = [...by.values()].sort((a, b) => b.length - a.length);
  return { groups: known > 1 ? groups : [], known, wanted: Math.max(known, wanted) };
}
