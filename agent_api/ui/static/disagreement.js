// @ts-check
/** Who believes what: rows of observers, columns of members, and what most observers that run believe. Pure. */
import { cellState, isRunning, namesOf } from './cluster.js';

/** What a cell can show. The first three can differ from the majority; the others are measured. */
export const VALUES = ['status', 'incarnation', 'tags', 'last ack', 'RTT'];
/** What agents say to another agent of many members. */
export const AGENT_VALUES = ['status', 'incarnation'];
/** Those that are measured. */
export const MEASURED = ['last ack', 'RTT'];

let known = { views: /** @type {any} */ (null), whole: /** @type {any} */ (null) };

/**
 * An agent's page in the shape of a whole cluster: the observers are the agents that were asked. One without an answer
 * is `silent`, with the reason. It is the same until they are asked again.
 */
export function wholeOf(store) {
  if (known.views === store.views && store.views.size) return known.whole;
  const observers = store.views.size ? [...store.views] : [[store.self, { members: store.members }]];
  const whole = { nodes: new Map(), views: new Map() };
  observers.forEach(([name, { error, members }], number) => {
    whole.nodes.set(name, { name, number, state: members ? 'running' : 'silent', error, since: null });
    if (members) whole.views.set(name, members);
  });
  known = { views: store.views, whole };
  return whole;
}

/** What an observer believes of a member, as one comparable text; tags are a digest, "" as long as it is not known. */
export function beliefOf(cell, value) {
  if (!cell) return 'unknown';
  if (value === 'tags') return cell.digest ?? (typeof cell.tags === 'string' ? cell.tags : '');
  return value === 'incarnation' ? String(cell.incarnation) : cellState(cell);
}

/** The belief that most have; of equally many, the first. */
function most(beliefs) {
  const counts = new Map();
  for (const belief of beliefs) counts.set(belief, (counts.get(belief) ?? 0) + 1);
  return [...counts].sort((a, b) => b[1] - a[1])[0]?.[0] ?? 'unknown';
}

/** The observers that run, in groups of equal views (names and status), the largest first. */
export function groupsOf(cluster, observers) {
  const by = new Map();
  for (const observer of observers) {
    const view = cluster.views.get(observer);
    const key = [...view.values()].map((cell) => `${cell.name}\n${cell.status}`).sort().join('\n');
    by.set(key, [...(by.get(key) ?? []), observer]);
  }
  return [...by.values()].sort((a, b) => b.length - a.length);
}

/** The names of `order` in the order of the groups, the rest behind them. */
function grouped(order, groups) {
  const rank = new Map(groups.flatMap((names, index) => names.map((name) => [name, index])));
  return [...order].sort((a, b) => (rank.get(a) ?? Infinity) - (rank.get(b) ?? Infinity) || order.indexOf(a) - order.indexOf(b));
}

/**
 * @param {any} cluster
 * @param {{ value?: string, only?: boolean, isGrouped?: boolean }} options `only` leaves out what does not differ
 */
export function matrixOf(cluster, { value = 'status', only = false, isGrouped = false } = {}) {
  const nodes = namesOf(cluster);
  const members = new Set(nodes);
  for (const view of cluster.views.values()) for (const name of view.keys()) members.add(name);
  const running = nodes.filter((name) => isRunning(cluster, name) && cluster.views.has(name));
  const compared = MEASURED.includes(value) ? 'status' : value;
  const belief = (observer, subject) => beliefOf(cluster.views.get(observer)?.get(subject), compared);
  const majority = new Map([...members].map((subject) => [subject, most(running.map((observer) => belief(observer, subject)))]));
  const differing = new Map(running.map((observer) => [observer, [...members].filter((subject) => belief(observer, subject) !== majority.get(subject))]));
  const groups = groupsOf(cluster, running);
  const disputed = new Set([...differing.values()].flat());
  const troubled = (subject) => disputed.has(subject) || !['running', 'silent'].includes(cluster.nodes.get(subject)?.state ?? 'running');
  let rows = nodes;
  let columns = [...members];
  if (isGrouped) [rows, columns] = [grouped(rows, groups), grouped(columns, groups)];
  if (only) {
    rows = rows.filter((observer) => (isRunning(cluster, observer) ? differing.get(observer)?.length : cluster.nodes.get(observer).state !== 'silent'));
    columns = columns.filter(troubled);
  }
  return {
    rows, columns, groups, majority, disputed, running,
    /** The members of which this observer, which runs, believes something else than most. */
    differing: (observer) => differing.get(observer) ?? [],
    differs: (observer, subject) => differing.get(observer)?.includes(subject) ?? false,
    cell: (observer, subject) => cluster.views.get(observer)?.get(subject) ?? null,
    /** The group of an observer or member, from 0 on; -1 for one that does not run. */
    groupOf: (name) => groups.findIndex((names) => names.includes(name)),
  };
}

/** Disagreement in sentences, one for each member that is disputed: who believes what. */
export function disputes(cluster, matrix) {
  return [...matrix.disputed].map((subject) => {
    const by = new Map();
    for (const observer of matrix.running) {
      const word = cellState(matrix.cell(observer, subject));
      by.set(word, [...(by.get(word) ?? []), observer]);
    }
    const sides = [...by].sort((a, b) => a[1].length - b[1].length);
    const [[word, observers]] = sides;
    const since = Math.max(...observers.map((observer) => Date.parse(matrix.cell(observer, subject)?.since ?? '')).filter(Number.isFinite), -Infinity);
    return { subject, word, observers, since, sides };
  });
}

/** The mean and the standard deviation of numbers. */
export function spread(numbers) {
  const mean = numbers.reduce((sum, each) => sum + each, 0) / (numbers.length || 1);
  const variance = numbers.reduce((sum, each) => sum + (each - mean) ** 2, 0) / (numbers.length || 1);
  return { mean, deviation: Math.sqrt(variance) };
}

const STALE_MIN = 10_000;

/**
 * The age in ms from which a last ack is too old. Each member is probed in each round through the list, so half of the
 * last acks are younger than half a round: four times that is two rounds without one.
 */
export function staleAge(ages) {
  const sorted = [...ages].sort((a, b) => a - b);
  return Math.max(STALE_MIN, 4 * (sorted[sorted.length >> 1] ?? 0));
}

/** What is different between two views, line by line. */
export function differences(cluster, one, other) {
  const [a, b] = [cluster.views.get(one) ?? new Map(), cluster.views.get(other) ?? new Map()];
  const names = [...new Set([...a.keys(), ...b.keys()])].sort();
  const found = [];
  for (const name of names) {
    for (const value of ['status', 'incarnation', 'tags']) {
      const [left, right] = [beliefOf(a.get(name), value), beliefOf(b.get(name), value)];
      if (left !== right) found.push({ name, value, left, right });
    }
  }
  return found;
}
