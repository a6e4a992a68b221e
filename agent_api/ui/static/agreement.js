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
  const add = (name, members) => {
    const key = digest(members);
    by.set(key, [...(by.get(key) ?? []), name]);
  };
  let [known, wanted] = [1, 0];
  for (const m of store.members.values()) wanted += m.status === 'alive' ? 1 : 0;
  for (const [name, view] of store.views) known += name !== store.self && view.members ? 1 : 0;
  if (known > 1) {
    add(store.self, store.members);
    for (const [name, view] of store.views) if (name !== store.self && view.members) add(name, view.members);
  }
  const groups = [...by.values()].sort((a, b) => b.length - a.length);
  return { groups, known, wanted: Math.max(known, wanted) };
}
