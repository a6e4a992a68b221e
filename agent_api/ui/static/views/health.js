// @ts-check
/** How the agent itself is: values over five minutes, its keys, what it has dropped. */
import { html, nothing } from '../vendor/lit-html.js';
import { plural, span } from '../format.js';
import { asks } from '../lazy.js';
import { cli, empty, failure } from '../parts.js';
import { chart, firstCharts, gauge, rates, short, spark, steps } from '../spark.js';

const DROPPED = 'swim.dropped.';
const NAMED_MAX = 8; // members or hosts in a list
const LIMITS = { // the settings that are limits, by the reason under which what exceeds them is counted
  'answers-per-packet': ['max_answers_per_packet'],
  'broadcast-size': ['broadcast_size_limit'],
  'decompressed-too-large': ['max_packet_bytes', 'max_decompressed_stream_bytes'],
  elements: ['max_packet_elements'],
  'event-size': ['user_event_size_limit'],
  'inbound-bytes': ['max_inbound_bytes'],
  'inbound-streams': ['max_streams'],
  'member-limit': ['max_members', 'max_new_members_per_packet'],
  'messages-per-packet': ['max_messages_per_packet'],
  nesting: ['max_layers'],
  'outbound-streams': ['max_streams'],
  'query-size': ['query_size_limit'],
  'queue-full': ['max_queue_depth', 'max_queue_bytes'],
  'recent-bytes': ['max_recent_event_bytes'],
  'relay-limit': ['max_relayed_pings', 'max_relayed_pings_per_host'],
  'response-size': ['query_response_size_limit'],
  'too-large': ['max_packet_bytes', 'max_stream_bytes'],
  'too-many-records': ['max_push_pull_records'],
};
const ACKED = ['swim.probe.direct', 'swim.probe.indirect', 'swim.probe.stream-only'];

export function onKey(state, event) {
  if (event.key.toLowerCase() !== 't') return false;
  state.go({ table: state.route.table ? '' : '1' }, { replace: true });
  return true;
}

export function view(state) {
  const { samples } = state.store;
  const failures = samples.at(-1)?.counters[`${DROPPED}decrypt`] ?? 0;
  if (failures !== (state.ui.decryptFailures ?? 0)) { // whose they are, no sample says
    state.ui.decryptFailures = failures;
    state.readInfo();
  }
  const charts = chartsOf(samples);
  const isTable = Boolean(state.route.table);
  return html`<div class="health">
    <h1 class="hidden">Health of ${state.store.self}: score ${short(samples.at(-1)?.gauges['memberlist.health.score'] ?? null)}</h1>
    <div class="toolbar"><span class="faint">${samples.length > 1 ? `the last ${span(samples.at(-1).at - samples[0].at)}` : ''}</span><span class="grow"></span>
      <button class="small" aria-pressed=${isTable} @click=${() => state.go({ table: isTable ? '' : '1' }, { replace: true })}>as a table (T)</button>
      <a class="button small" href=${new URL('v1/metrics?format=prometheus', state.base).href}>Prometheus</a></div>
    ${samples.length < 2 ? empty('The first values come with the next heartbeat, in some seconds.') : isTable ? html`<div class="scroll">${sparkTable(charts)}</div>`
      : html`<div class="charts">${charts.map((each) => html`<div class="panel">${spark(state, each)}</div>`)}</div>`}
    <div class="columns">${agent(state)}${keyring(state)}${drops(state, samples.at(-1))}</div>${configuration(state)}</div>`;
}

function agent(state) {
  const { info } = state;
  if (!info) return html`<section class="panel"><h2>This agent</h2><p class="faint">Takes the capability <code>agent:read</code>.</p></section>`;
  const rows = [['name', info.name], ['gossip', info.advertised], ['version', info.version], ['status', `${info.status}, ${state.store.pulse?.readiness ?? info.readiness}`],
    ['runs for', span(info.uptime * 1000 + (state.now - info.readAt))], ['label', info.label || 'none'], ['Serf RPC', info.rpc ?? 'off']];
  return html`<section class="panel"><h2>This agent</h2><dl class="facts">${rows.map(([key, value]) => html`<dt>${key}</dt><dd><bdi>${value}</bdi></dd>`)}</dl>
    ${state.mode === 'agent' ? html`<div class="action"><button @click=${asks((actions) => actions.askJoin(state))}>Join…</button>${cli(state, 'swim join HOST:PORT')}</div>
      <div class="action"><button class="danger" @click=${asks((actions) => actions.askLeave(state))}>Leave…</button>${cli(state, 'swim leave')}</div>` : nothing}</section>`;
}

/** The gossip keys of all members, by fingerprint; asked for by a click, since that asks every member. */
function keyring(state) {
  const found = state.ui.keyring;
  const ask = async () => {
    state.ui.keyring = await state.ask('v1/swim/keyring').then((answer) => ({ answer }), (error) => ({ error }));
    state.redraw();
  };
  return html`<section class="panel"><h2>Gossip keys</h2>
    ${state.info && !state.info.encrypted ? html`<p>Gossip is not encrypted.</p>${cli(state, 'swim keygen')}` : html`
      ${found?.error ? failure(found.error, ask) : nothing}
      ${found?.answer ? rings(found.answer) : nothing}
      <div class="action"><button @click=${ask}>Ask all members</button>${cli(state, 'swim keyring list')}</div>`}
    ${undecrypted(state.info)}</section>`;
}

/** How many members have each key, and who did not say so. */
function rings({ members, keyrings, errors, missing, failed }) {
  const keys = new Map();
  for (const ring of Object.values(keyrings)) {
    for (const [index, key] of ring.entries()) {
      const known = keys.get(key) ?? { have: 0, first: 0 };
      keys.set(key, { have: known.have + 1, first: known.first + (index ? 0 : 1) });
    }
  }
  const names = (title, list) => (list.length ? html`<p class="faint">${title}: <bdi>${list.slice(0, NAMED_MAX).join(', ')}${list.length > NAMED_MAX ? ', …' : ''}</bdi></p>` : nothing);
  return html`<ul class="lines">${[...keys].map(([key, { have, first }]) => html`<li><code>${key}</code> <span class="state" data-state=${have < members ? 'suspect' : 'alive'}>${have} of ${plural(members, 'member')}</span>
      ${first ? html`<span class="faint">${first === have ? 'encrypt with it' : `have it, ${first} encrypt with it`}</span>` : html`<span class="faint">have it, none encrypts with it</span>`}</li>`)}</ul>
    ${names('no answer', missing)}${names('failed, so not asked', failed)}
    ${Object.entries(errors).slice(0, NAMED_MAX).map(([name, error]) => html`<p class="faint"><bdi>${name}</bdi>: <bdi>${error}</bdi></p>`)}`;
}

/** Who sends what none of the keys decrypts. */
function undecrypted(info) {
  const found = Object.entries(info?.decrypt_failures ?? {});
  if (!found.length) return nothing;
  return html`<p>None of the keys decrypts what these hosts send:</p>
    <ul class="lines">${found.slice(0, NAMED_MAX).map(([host, count]) => html`<li><code>${host}</code> <span class="state" data-state="suspect">${count.toLocaleString('en')} times</span></li>`)}</ul>`;
}

/** Every setting and where it came from: what was set, and the defaults behind a click. */
function configuration(state) {
  const known = state.ui.settings;
  if (known?.of !== state.base.href) {
    const found = { of: state.base.href, list: null, error: null };
    state.ui.settings = found;
    state.ask('v1/swim/config').then(({ settings }) => { found.list = settings; }, (error) => { found.error = error; }).finally(state.redraw);
    return nothing;
  }
  if (known.error) return html`<section class="panel"><h2>Configuration</h2>${known.error.status === 403 ? html`<p class="faint">Takes the capability <code>agent:read</code>.</p>`
    : failure(known.error, () => { state.ui.settings = null; state.redraw(); })}</section>`;
  if (!known.list) return nothing;
  const rows = (list) => html`<table class="small-table settings"><thead><tr><th scope="col">Setting</th><th scope="col">Value</th><th scope="col">Origin</th></tr></thead>
    <tbody>${list.map(({ name, value, origin }) => html`<tr><td><code>${name}</code></td><td class="wide mono"><bdi title=${JSON.stringify(value)}>${valueOf(value)}</bdi></td><td class="faint"><bdi>${origin}</bdi></td></tr>`)}</tbody></table>`;
  const [set, rest] = [known.list.filter((each) => each.origin !== 'default'), known.list.filter((each) => each.origin === 'default')];
  return html`<section class="panel configuration"><h2>Configuration</h2><div class="scroll">${rows(set)}</div>
    <details><summary>${rest.length} settings have their default</summary><div class="scroll">${rows(rest)}</div></details></section>`;
}

/** A value as it would be written. */
const valueOf = (value) => (value === null ? '–' : Array.isArray(value) ? value.map(valueOf).join(', ') || '–'
  : typeof value === 'object' ? Object.entries(value).map((pair) => pair.join('=')).join(' ') || '–' : typeof value === 'string' ? value || '–' : String(value));

/** Every reason that has counted, with the limit behind it if there is one; the limits that were never hit behind a click. */
function drops(state, sample) {
  const settings = new Map(state.ui.settings?.list?.map(({ name, value }) => [name, value]) ?? []);
  const found = dropsOf(sample);
  const idle = Object.keys(LIMITS).filter((reason) => !found.some(([hit]) => hit === reason)).map((reason) => [reason, 0]);
  const limit = (name) => html`<div class="faint">${name} ${settings.get(name)?.toLocaleString('en') ?? ''}</div>`;
  const rows = (list) => html`<table class="small-table limits"><tbody>${list.map(([reason, count]) => html`<tr><td><code>${reason}</code>${(LIMITS[reason] ?? []).map(limit)}</td>
    <td class="number">${count.toLocaleString('en')}</td></tr>`)}</tbody></table>`;
  return html`<section class="panel"><h2>Dropped, and limits that were hit</h2>
    ${found.length ? html`${rows(found)}` : html`<p class="faint">Nothing since this agent started.</p>`}
    <details><summary>${plural(idle.length, 'limit')} never hit</summary>${rows(idle)}</details></section>`;
}

/** The same values as a table, for those who do not look at charts. */
function sparkTable(charts) {
  return html`<table><thead><tr><th scope="col">Value</th><th scope="col" class="number">Now</th><th scope="col" class="number">Most in 5 min</th></tr></thead>
    <tbody>${charts.flatMap((chart) => chart.lines.map((line) => html`<tr><td>${chart.title} ${line.name} ${chart.unit ?? ''}</td><td class="number">${short(line.values.at(-1) ?? null)}</td>
      <td class="number">${short(Math.max(...line.values.map((value) => value ?? 0)))}</td></tr>`))}</tbody></table>`;
}

/** All charts; a reason to drop something has one once it has counted. */
function chartsOf(samples) {
  const rate = (...names) => rates(samples, names);
  const step = (...names) => steps(samples, names);
  const dropped = [...new Set(samples.flatMap((sample) => Object.keys(sample.counters).filter((name) => name.startsWith(DROPPED))))].sort();
  return [
    ...firstCharts(samples),
    chart(samples, 'bytes', '/s', { out: rate('memberlist.udp.sent', 'memberlist.tcp.sent'), in: rate('memberlist.udp.received') }),
    chart(samples, 'probes', '', { acked: step(...ACKED), failed: step('memberlist.degraded.probe') }),
    chart(samples, 'late acks', '', { '': step('swim.late-acks') }),
    chart(samples, 'streams', '/s', { dialled: rate('memberlist.tcp.connect'), accepted: rate('memberlist.tcp.accept') }),
    chart(samples, 'claims', '/s', { alive: rate('memberlist.msg.alive'), dead: rate('memberlist.msg.dead') }),
    chart(samples, 'push/pulls', '', { dialled: step('swim.push-pull.dialled'), answered: step('swim.push-pull.answered'), failed: step('swim.push-pull.failed') }),
    chart(samples, 'queued for Serf', '', { intents: gauge(samples, 'serf.queue.Intent'), events: gauge(samples, 'serf.queue.Event'), queries: gauge(samples, 'serf.queue.Query') }),
    chart(samples, 'overslept', 'times', { '': step('swim.overslept') }),
    ...dropped.map((name) => chart(samples, `dropped: ${name.slice(DROPPED.length)}`, '', { '': step(name) })),
  ];
}

/** Every reason for which something was dropped, and how often so far. */
const dropsOf = (sample) =>
  Object.entries(sample?.counters ?? {}).filter(([name]) => name.startsWith(DROPPED)).map(([name, count]) => [name.slice(DROPPED.length), count]).sort((a, b) => b[1] - a[1]);
