// @ts-check
/**
 * The page of `swim cluster`: one stream for all nodes, and one for the observer whose view the page shows. Another
 * observer is another stream of the same kind, so every view works for every node.
 */
import { foldCluster, isRunning, namesOf, newCluster } from './cluster.js';
import { fold, newStore } from './store.js';
import { Stream } from './stream.js';

/**
 * @param {any} state
 * @param {URL} base where the cluster is served
 * @param {(url: URL) => Stream} open opens the stream of the observer whose API is there
 */
export function followCluster(state, base, open) {
  const cluster = newCluster();
  state.cluster = cluster;
  let followed = '';

  /** Shows the view of the observer in the link, or of the first node that runs. */
  state.follow = () => {
    const names = namesOf(cluster);
    const { from } = state.route;
    const wanted = names.includes(from) ? from : keeps(followed) ? followed : names.find((name) => isRunning(cluster, name));
    if (!wanted || wanted === followed) return;
    followed = wanted;
    state.stream?.stop();
    const { clock, views } = state.store;
    Object.assign(state.store, newStore(), { clock, views });
    state.info = null;
    state.base = new URL(`v1/cluster/nodes/${encodeURIComponent(wanted)}/`, base);
    state.stream = open(state.base);
  };
  const keeps = (name) => cluster.nodes.has(name) && cluster.nodes.get(name).state !== 'killed' && cluster.nodes.get(name).state !== 'left';

  /** Lets the cluster do what a line says; answers with the steps, or throws the parser's sentence. */
  state.command = (verb) =>
    state.ask(new URL('v1/cluster/command', base).href, { method: 'POST', body: JSON.stringify({ verb }) });

  /** Asks the cluster itself. */
  state.askCluster = (path) => state.ask(new URL(path, base).href);

  state.clusterStream = new Stream({
    url: new URL('v1/cluster/watch', base).href,
    headers: () => ({}),
    onLine: (line) => {
      foldCluster(cluster, line);
      fold(state.store, { time: line.time ?? line.snapshot?.time }, performance.now());
      publish(state, cluster);
    },
    onChange: () => {
      state.follow();
      state.redraw();
    },
  });
  state.clusterStream.start();
}

/** The views as the rest of the page knows them: those of nodes that run. */
function publish(state, cluster) {
  const views = namesOf(cluster).map((name) => [name, { members: isRunning(cluster, name) ? cluster.views.get(name) : undefined }]);
  state.store.views = new Map(/** @type {[string, any][]} */ (views));
}
