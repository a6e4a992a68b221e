// @ts-check
/** Commands of `swim cluster` as text: what the prompt and `--script` accept. Pure. */

/** Nodes as one word: `1-3,5`, or their names where a name is not a number. */
export function groupOf(cluster, names) {
  const numbers = names.map((name) => cluster.nodes.get(name).number).sort((a, b) => a - b);
  const parts = [];
  for (let index = 0; index < numbers.length; index += 1) {
    const first = numbers[index];
    while (numbers[index + 1] === numbers[index] + 1) index += 1;
    parts.push(numbers[index] > first ? `${first}-${numbers[index]}` : `${first}`);
  }
  return parts.join(',');
}

/** Seconds as a script writes them: at most one decimal. */
export const at = (seconds) => `${Math.round(10 * Math.max(0, seconds)) / 10}s`;

/** A partition into these sides, whatever was cut before; loss and delay stay. */
export function splitVerb(cluster, sides) {
  const wanted = sides.filter((side) => side.length);
  const { cuts, loss, delay } = cluster.links;
  const verbs = cuts.length ? ['heal'] : [];
  if (wanted.length > 1) verbs.push(`split ${wanted.map((side) => groupOf(cluster, side)).join(' ')}`);
  if (cuts.length && loss) verbs.push(lossVerb(loss));
  if (cuts.length && delay) verbs.push(delayVerb(delay));
  return verbs.join('; ');
}

export const lossVerb = (loss) => `loss ${Math.round(1000 * loss) / 10}%`;
export const delayVerb = (delay) => `delay ${Math.round(1000 * delay)}ms`;

/** The command line that does again what was done so far. */
export function scriptLine(cluster) {
  const { plan, commands } = cluster;
  const flags = [`--nodes ${plan.nodes}`];
  if (plan.profile !== 'local') flags.push(`--profile ${plan.profile}`);
  if (plan.encrypted) flags.push('--encrypt');
  const steps = commands.map((each) => `${at(each.at)} ${each.verb}`);
  return `swim cluster ${flags.join(' ')}${steps.length ? ` --script "${steps.join('; ')}"` : ''}`;
}

/** The sides of the partition in force: nodes that reach each other, directly or not, both ways. */
export function sidesOf(cluster, names) {
  const cut = new Set(cluster.links.cuts.map((pair) => pair.join('\n')));
  const linked = (one, other) => !cut.has(`${one}\n${other}`) && !cut.has(`${other}\n${one}`);
  const sides = [];
  const left = new Set(names);
  while (left.size) {
    const [first] = left;
    const side = [];
    const queue = [first];
    left.delete(first);
    while (queue.length) {
      const one = queue.pop();
      side.push(one);
      for (const other of [...left]) {
        if (!linked(one, other)) continue;
        left.delete(other);
        queue.push(other);
      }
    }
    sides.push(side.sort((a, b) => names.indexOf(a) - names.indexOf(b)));
  }
  return sides;
}

/** Cuts of one direction only. */
export function oneWayCuts(cluster) {
  const cut = new Set(cluster.links.cuts.map((pair) => pair.join('\n')));
  return cluster.links.cuts.filter(([source, target]) => !cut.has(`${target}\n${source}`));
}

/** What can be tried with one click: a name, what it shows, and the commands. */
export function recipesOf(cluster) {
  const names = [...cluster.nodes.values()].filter((node) => node.state === 'running').map((node) => node.name);
  if (names.length < 3) return [];
  const numbers = names.map((name) => cluster.nodes.get(name).number).sort((a, b) => a - b);
  const victim = numbers[Math.floor(numbers.length / 2)];
  const minority = names.slice(0, Math.floor((names.length - 1) / 2) || 1);
  const rest = names.filter((name) => !minority.includes(name));
  return [
    ['kill one', 'suspected, then failed', `kill ${victim}`],
    ['flap one', 'down and up, three times', [0, 8, 16].map((from) => `${from}s kill ${victim}; ${from + 4}s restart ${victim}`).join('; ')],
    [`split ${minority.length}/${rest.length} for 20 s`, 'two clusters, then one', `split ${groupOf(cluster, minority)} ${groupOf(cluster, rest)}; 20s heal`],
    ['freeze 10 s', 'a pause accuses no others', `pause ${victim}; 10s resume ${victim}`],
    ['rolling restart', 'one after the other', numbers.map((number, index) => `${4 * index}s restart ${number}`).join('; ')],
  ];
}
