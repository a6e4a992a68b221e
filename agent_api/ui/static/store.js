// @ts-check
/**
 * What the page knows: the agent's stream, folded as the library folds its events. Pure: the time comes in.
 * A snapshot replaces the members; every event after it stores or deletes one.
 */

/** The order of severity, worst first. */
export const SEVERITY = { failed: 0, suspect: 1, leaving: 2, paused: 3, alive: 4, left: 5, unknown: 6 };
export const GLYPH = {
  alive: '●', suspect: '◐', leaving: '◌', left: '○', failed: '✕', paused: '‖', killed: '✕', unknown: '·', reaped: '·',
};

/** Lines that the page keeps; older ones are counted only. */
export const FEED_MAX = 2000;
/** Members whose latest line the page keeps, listed or not. */
const LATEST_MAX = 20_000;
const HOUR = 3_600_000;
const JUMP = 5000;
const WINDOW = 300_000; // ms of samples that are kept

/** A member's state: its status, or `suspect`. */
export const stateOf = (m) => (m.is_suspect && m.status === 'alive' ? 'suspect' : m.status);

export function newStore() {
  return {
    self: '', // the agent whose stream this is
    members: new Map(), // its view: member by name
    views: new Map(), // others' views by observer: { members, error, process }
    feed: /** @type {any[]} */ ([]), // newest last
    counted: 0, // lines of the feed so far, dropped ones too
    sequence: 0, // of the last event
    latest: new Map(), // by name: its latest line of the feed
    flaps: new Map(), // by name: when it was suspected or failed, in the last hour
    clock: { wall: NaN, mono: 0 },
    pulse: /** @type {any} */ (null), // the last heartbeat
    samples: /** @type {any[]} */ ([]), // counters and gauges of the last five minutes
    version: 0, // grows with every change
    changes: 0, // grows when a member's state may have changed
    roster: 0, // grows when members come, go or change their tags
  };
}

/** The agent's time of day in ms, at `mono` ms of this page's monotonic clock. */
export const wallAt = (store, mono) => store.clock.wall + (mono - store.clock.mono);

/** The members as `observer` sees them; the agent's own view for its own name. */
export function viewOf(store, observer) {
  return !observer || observer === store.self ? store.members : store.views.get(observer)?.members ?? new Map();
}

/** How many members are in each state. */
export function countsOf(members) {
  const found = { alive: 0, suspect: 0, leaving: 0, left: 0, failed: 0 };
  for (const m of members.values()) found[stateOf(m)] = (found[stateOf(m)] ?? 0) + 1;
  return found;
}

/** Takes one line of the stream. */
export function fold(store, line, mono) {
  const wall = Date.parse(line.at ?? line.time ?? '');
  if (Number.isFinite(wall)) setClock(store, wall, mono);
  store.version += 1;
  if (line.snapshot) return takeSnapshot(store, line, wall);
  if (line.event === 'Heartbeat') return takeHeartbeat(store, line, wall);
  if (line.event === 'EventsLost') return note(store, { kind: 'gap', at: wall, count: line.count });
  if (!line.event || (line.sequence && line.sequence <= store.sequence)) return undefined;
  store.sequence = line.sequence ?? store.sequence;
  if (line.member) return takeMember(store, line, wall);
  return note(store, { ...line, kind: 'message', at: wall });
}

/** Adds a line to the feed. */
export function note(store, entry) {
  store.version += 1;
  const line = { ...entry, number: (store.counted += 1) };
  store.feed.push(line);
  if (line.kind === 'member') {
    store.latest.delete(line.name); // so that the oldest comes first
    store.latest.set(line.name, line);
    if (store.latest.size > LATEST_MAX) store.latest.delete(store.latest.keys().next().value);
  }
  if (store.feed.length > FEED_MAX) store.feed.splice(0, FEED_MAX / 4);
}

/** The agent's clock may be wrong and may jump: ages are counted from its latest time, and a jump is a line. */
function setClock(store, wall, mono) {
  const by = wall - wallAt(store, mono);
  if (Math.abs(by) > JUMP) note(store, { kind: 'jump', at: wall, by });
  store.clock = { wall, mono };
}

function takeSnapshot(store, line, wall) {
  const { snapshot, sequence } = line;
  const old = store.members;
  store.self = snapshot.name;
  store.sequence = sequence;
  store.members = new Map();
  store.roster += 1;
  store.changes += 1;
  for (const m of snapshot.members) keep(store, m, old.get(m.name), NaN);
  if (snapshot.counters) addSample(store.samples, { at: wall, counters: snapshot.counters, gauges: snapshot.gauges });
  note(store, { kind: 'snapshot', at: wall, count: snapshot.members.length });
}

function takeHeartbeat(store, line, wall) {
  store.pulse = line;
  if (line.counters) addSample(store.samples, { at: wall, counters: line.counters, gauges: line.gauges });
  for (const [name, suspicion] of Object.entries(line.suspicions ?? {})) {
    const member = store.members.get(name);
    if (member?.is_suspect) member.suspicion = suspicion;
  }
}

function takeMember(store, line, wall) {
  const { member } = line;
  const before = store.members.get(member.name);
  const was = before ? stateOf(before) : line.previous ?? 'unknown';
  const isReaped = line.event === 'MemberReaped';
  store.changes += 1;
  if (isReaped || !before || line.event === 'MemberUpdated') store.roster += 1;
  if (isReaped) {
    store.members.delete(member.name);
    store.flaps.delete(member.name);
  } else keep(store, member, before, wall);
  const now = isReaped ? 'reaped' : stateOf(member);
  if (was !== now && (now === 'suspect' || now === 'failed')) countFlap(store, member.name, wall);
  note(store, {
    kind: 'member', event: line.event, at: wall, name: member.name, before: was, after: now,
    incarnation: member.incarnation, raised: before && before.incarnation !== member.incarnation ? before.incarnation : null,
    cause: line.cause, accuser: line.accuser, detail: line.detail, observer: store.self,
  });
}

/** A member without `since` has had its state since the event that gave it; from before the stream it is unknown. */
function keep(store, member, before, wall) {
  const isSame = before && stateOf(before) === stateOf(member);
  member.since ??= isSame ? before.since : Number.isFinite(wall) ? new Date(wall).toISOString() : null;
  store.members.set(member.name, member);
}

function countFlap(store, name, wall) {
  const recent = (store.flaps.get(name) ?? []).filter((at) => wall - at < HOUR);
  store.flaps.set(name, [...recent, wall]);
}

/** How often a member was suspected or failed in the hour before `wall`, as far as this page has seen. */
export const flapsOf = (store, name, wall) => (store.flaps.get(name) ?? []).filter((at) => wall - at < HOUR).length;

/** Adds a sample; those older than five minutes go, and all of them where the clock went back. */
function addSample(samples, sample) {
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

// -- who agrees with whom

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
