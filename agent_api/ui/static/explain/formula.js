// @ts-check
/** How news spreads, by formula: `informed_curve` of `sims/theory/formulas.py`, which a test compares. */

/**
 * @typedef {object} Settings
 * @property {number} gossip_interval seconds
 * @property {number} gossip_nodes members that a node sends to at a time
 * @property {number} retransmit_mult
 * @property {number} eager_gossip_delay seconds before the first sending; negative: none is sooner
 */

const LATENCY = 0.0005;
const HOPS_MAX = 2000;

/** How often each node sends one update. @param {Settings} settings @param {number} nodes */
export function transmitLimit(settings, nodes) {
  return settings.retransmit_mult * Math.ceil(Math.log10(nodes + 1));
}

/** Members that gossip alone never reaches, without loss. @param {Settings} settings @param {number} nodes */
export function missedByGossip(settings, nodes) {
  return nodes * Math.exp(-transmitLimit(settings, nodes));
}

/**
 * Seconds and share of the running members that have the news by then, hop by hop.
 *
 * @param {Settings} settings
 * @param {number} nodes at least 2
 * @param {number} loss share of the packets
 * @param {number} failed share of the nodes that have crashed unnoticed
 * @returns {[number, number][]}
 */
export function informedCurve(settings, nodes, loss, failed) {
  const hop = (settings.eager_gossip_delay >= 0 ? settings.eager_gossip_delay : settings.gossip_interval) + LATENCY;
  const missing = [Math.max(0, nodes * (1 - failed) - 1)];
  const { gossip_interval: interval, gossip_nodes: fanout } = settings;
  if (interval && fanout) {
    const informed = [1];
    const rounds = Math.ceil(transmitLimit(settings, nodes) / fanout);
    const gap = Math.max(1, roundHalfEven(interval / hop));
    while (/** @type {number} */ (missing.at(-1)) > 1e-9 && missing.length < HOPS_MAX) {
      const step = missing.length;
      let senders = 0;
      for (let round = 0; round < rounds && step - 1 - round * gap >= 0; round += 1) senders += informed[step - 1 - round * gap];
      const before = missing[step - 1];
      const left = before * Math.exp((-senders * fanout * (1 - loss)) / nodes);
      informed.push(before - left);
      missing.push(left);
    }
  }
  const others = Math.max(missing[0], 1e-12);
  return missing.map((left, step) => [step * hop, 1 - left / others]);
}

/** As Python rounds. @param {number} value */
function roundHalfEven(value) {
  const floor = Math.floor(value);
  return value - floor === 0.5 ? floor + (floor % 2) : Math.round(value);
}
