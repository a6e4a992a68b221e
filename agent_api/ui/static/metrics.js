// @ts-check
/** From samples of counters and gauges to the lines of charts. Pure. */

const WINDOW = 300_000; // ms
const DROPPED = 'swim.dropped.';

/** Adds a sample; those older than five minutes go, and all of them where the clock went back. */
export function addSample(samples, sample) {
  if (samples.length && sample.at < samples[samples.length - 1].at) samples.length = 0;
  samples.push(sample);
  while (samples[0].at < sample.at - WINDOW) samples.shift();
}

/** The answer of `/v1/swim/metrics/history`, a list for each name, as samples. */
export function samplesOf({ at, counters, gauges }) {
  const pick = (lists, index) => Object.fromEntries(Object.entries(lists).map(([name, list]) => [name, list[index] ?? 0]));
  return at.map((each, index) => ({ at: Date.parse(each), counters: pick(counters, index), gauges: pick(gauges, index) }));
}

/** The samples of a fresh page before those that it has itself. */
export function mergeSamples(older, newer) {
  const first = newer[0]?.at ?? Infinity;
  return [...older.filter((each) => each.at < first), ...newer];
}

const gauge = (name) => (sample) => sample.gauges[name] ?? 0;
const sum = (sample, names) => names.reduce((total, name) => total + (sample.counters[name] ?? 0), 0);

/** How much counters grew in a second, between each sample and the one before; null where the agent has started again. */
function rates(samples, names) {
  return samples.map((sample, index) => {
    const before = samples[index - 1];
    if (!before || sample.at <= before.at) return null;
    const grown = sum(sample, names) - sum(before, names);
    return grown < 0 ? null : (1000 * grown) / (sample.at - before.at);
  });
}

/** How much counters grew between each sample and the one before. */
function steps(samples, names) {
  return samples.map((sample, index) => (index ? Math.max(0, sum(sample, names) - sum(samples[index - 1], names)) : null));
}

/** All charts of these samples: title, unit, and their lines. Those of drops are there once a reason has counted. */
export function chartsOf(samples) {
  const times = samples.map((sample) => sample.at);
  const make = (title, unit, lines) => ({ title, unit, times, lines: lines.map(([name, values]) => ({ name, values })) });
  const of = (names) => rates(samples, names);
  const dropped = [...new Set(samples.flatMap((sample) => Object.keys(sample.counters).filter((name) => name.startsWith(DROPPED))))].sort();
  return {
    traffic: make('traffic', 'B/s', [['out', of(['memberlist.udp.sent', 'memberlist.tcp.sent'])], ['in', of(['memberlist.udp.received'])]]),
    health: make('health score', '', [['', samples.map(gauge('memberlist.health.score'))]]),
    suspicions: make('suspicions', '', [['heard', steps(samples, ['memberlist.msg.suspect'])], ['refuted here', steps(samples, ['swim.refutations'])]]),
    late: make('late acks', '', [['', steps(samples, ['swim.late-acks'])]]),
    queue: make('broadcasts queued', '', [['', samples.map(gauge('memberlist.queue.broadcasts'))]]),
    streams: make('streams', '/s', [['dialled', of(['memberlist.tcp.connect'])], ['accepted', of(['memberlist.tcp.accept'])]]),
    messages: make('claims', '/s', [['alive', of(['memberlist.msg.alive'])], ['dead', of(['memberlist.msg.dead'])]]),
    pushPull: make('push/pulls failed', '', [['', steps(samples, ['swim.push-pull.failed'])]]),
    overslept: make('overslept', 'times', [['', steps(samples, ['swim.overslept'])]]),
    dropped: dropped.map((name) => make(`dropped: ${name.slice(DROPPED.length)}`, '', [['', steps(samples, [name])]])),
  };
}

/** Every reason for which something was dropped, and how often so far. */
export const dropsOf = (sample) =>
  Object.entries(sample?.counters ?? {}).filter(([name]) => name.startsWith(DROPPED)).map(([name, count]) => [name.slice(DROPPED.length), count]).sort((a, b) => b[1] - a[1]);
