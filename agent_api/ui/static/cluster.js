// @ts-check
/**
 * What `swim cluster` says of all its nodes: processes, every node's view, the network and the commands. Pure, like the
 * store: a snapshot replaces everything, every change after it replaces one piece.
 */

export function newCluster() {
  return {
    nodes: new Map(), // by name: { name, number, state, since, bind, http }
    views: new Map(), // by observer: its cells by member, `suspected` is when it was so before; a killed node has no view
    links: { cuts: [], loss: 0, delay: 0 },
    commands: [], // { at, verb, by }, oldest first
    planned: [], // { at, verb }
    plan: null, // { nodes, profile, seed, label, encrypted }
    sequence: 0,
    zero: NaN, // when all nodes ran, in ms of the cluster's time of day
    lost: 0, // changes that this page was too slow for
  };
}

/** Takes one line of `/v1/cluster/watch`. */
export function foldCluster(cluster, line) {
  if (line.snapshot) return takeSnapshot(cluster, line);
  if (line.event === 'Heartbeat') return undefined; // its number may be that of changes that are still on their way
  if (line.sequence <= cluster.sequence) return undefined;
  cluster.sequence = line.sequence;
  switch (line.event) {
    case 'Node': return takeNode(cluster, line);
    case 'View': return takeCell(cluster, line);
    case 'Links': return void (cluster.links = { cuts: line.cuts, loss: line.loss, delay: line.delay });
    case 'Commands': return takeCommands(cluster, line);
    default: return undefined;
  }
}

function takeSnapshot(cluster, { snapshot, lost }) {
  const { first, members, others } = snapshot.views;
  cluster.nodes = new Map(snapshot.nodes.map((node) => [node.name, node]));
  cluster.views = new Map();
  if (first) cluster.views.set(first, table(members));
  for (const [observer, cells] of Object.entries(others)) cluster.views.set(observer, table({ ...members, ...cells }));
  cluster.links = snapshot.links;
  cluster.commands = snapshot.commands;
  cluster.planned = snapshot.planned;
  cluster.plan = snapshot.plan;
  cluster.sequence = snapshot.sequence;
  cluster.zero = Date.parse(snapshot.time) - 1000 * snapshot.seconds;
  cluster.lost += lost;
}

/** Cells by member, each with its name; what is null is not listed. */
function table(cells) {
  return new Map(Object.entries(cells).filter(([, cell]) => cell).map(([name, cell]) => [name, { name, ...cell }]));
}

function takeNode(cluster, { name, number, state, since, bind, http, view }) {
  cluster.nodes.set(name, { name, number, state, since, bind, http });
  if (view === null) cluster.views.delete(name);
  else if (view) cluster.views.set(name, table(view));
}

function takeCell(cluster, { observer, member, cell }) {
  const view = cluster.views.get(observer);
  const old = view?.get(member);
  if (cell) view?.set(member, { name: member, ...cell, suspected: cellState(old) === 'suspect' ? old.since : old?.suspected });
  else view?.delete(member);
}

function takeCommands(cluster, { done, planned }) {
  cluster.commands = [...cluster.commands, ...done].slice(-1000);
  cluster.planned = planned;
}

/** What an observer believes of a member, in a word. */
export const cellState = (cell) => (!cell ? 'unknown' : cell.is_suspect && cell.status === 'alive' ? 'suspect' : cell.status);

/** The names of the nodes, in their order. */
export const namesOf = (cluster) => [...cluster.nodes.values()].sort((a, b) => a.number - b.number).map((node) => node.name);

/** Whether a node's view counts: a paused one is frozen, a killed one has none. */
export const isRunning = (cluster, name) => cluster.nodes.get(name)?.state === 'running';
