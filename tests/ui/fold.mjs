/** What a page of `swim cluster` shows after the lines of its stream. */
import { foldCluster, newCluster } from '../../agent_api/ui/static/cluster.js';

export function links(...lines) {
  const cluster = newCluster();
  for (const line of lines) foldCluster(cluster, line);
  return cluster.links;
}
