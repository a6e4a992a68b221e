// @ts-check
/** Values over five minutes: from samples to sparklines, all with the same moment under the pointer. */
import { html, nothing, svg } from './vendor/lit-html.js';
import { clock } from './format.js';

const [WIDTH, HEIGHT] = [240, 34];

/** A number, short. */
export function short(value) {
  if (value === null || !Number.isFinite(value)) return '–';
  const [unit, by] = value >= 1e9 ? ['G', 1e9] : value >= 1e6 ? ['M', 1e6] : value >= 1e4 ? ['k', 1e3] : ['', 1];
  const scaled = value / by;
  return `${scaled >= 100 || Number.isInteger(scaled) ? Math.round(scaled).toLocaleString('en') : scaled.toFixed(1)}${unit}`;
}

/**
 * @param {any} state its `ui.hoverAt` is where the pointer is in all charts, from 0 to 1
 * @param {{ title: string, unit?: string, times: number[], lines: { name: string, values: (number | null)[] }[] }} chart
 */
export function spark(state, { title, unit = '', times, lines }) {
  const all = lines.flatMap((line) => line.values).filter((value) => value !== null);
  const top = Math.max(1e-9, .../** @type {number[]} */ (all));
  const last = times.length - 1;
  const length = times[last] - times[0] || 1;
  const x = (index) => (WIDTH * (times[index] - times[0])) / length;
  const y = (value) => HEIGHT - 2 - ((HEIGHT - 6) * value) / top;
  const wanted = times[0] + length * (state.ui.hoverAt ?? 1);
  const shown = Math.max(0, times.findLastIndex((each) => each <= wanted));
  const points = (values) => values.map((value, index) => (value === null ? '' : `${x(index).toFixed(1)},${y(value).toFixed(1)}`)).filter(Boolean).join(' ');
  const words = lines.map((line) => `${line.name} ${short(line.values[last] ?? null)}`).join(', ');
  const move = (event) => {
    const box = event.currentTarget.getBoundingClientRect();
    state.ui.hoverAt = Math.max(0, Math.min(1, (event.clientX - box.left) / box.width));
    state.redraw();
  };
  const leave = () => { state.ui.hoverAt = undefined; state.redraw(); };
  return html`<figure class="spark"><figcaption><span>${title}</span><span class="values">${lines.map((line, index) => html`<span data-line=${index}><b>${short(line.values[shown] ?? null)}</b>
      ${line.name}</span>`)}<span class="faint">${unit}</span></span></figcaption>
    <svg viewBox="0 0 ${WIDTH} ${HEIGHT}" preserveAspectRatio="none" role="img" aria-label="${title}: ${words} ${unit}" @pointermove=${move} @pointerleave=${leave}>
      ${lines.map((line, index) => svg`<polyline data-line=${index} points=${points(line.values)} vector-effect="non-scaling-stroke"/>`)}
      ${state.ui.hoverAt === undefined ? nothing : svg`<line class="cursor" x1=${x(shown)} x2=${x(shown)} y1="0" y2=${HEIGHT} vector-effect="non-scaling-stroke"/>`}</svg>
    ${state.ui.hoverAt === undefined ? nothing : html`<span class="moment">${clock(times[shown])}</span>`}</figure>`;
}

// -- from samples of counters and gauges to the lines of charts

const sum = (sample, names) => names.reduce((total, name) => total + (sample.counters[name] ?? 0), 0);

/** The values of a gauge. */
export const gauge = (samples, name) => samples.map((sample) => sample.gauges[name] ?? 0);

/** How much counters grew in a second, between each sample and the one before; null where the agent has started again. */
export function rates(samples, names) {
  return samples.map((sample, index) => {
    const before = samples[index - 1];
    if (!before || sample.at <= before.at) return null;
    const grown = sum(sample, names) - sum(before, names);
    return grown < 0 ? null : (1000 * grown) / (sample.at - before.at);
  });
}

/** How much counters grew between each sample and the one before. */
export function steps(samples, names) {
  return samples.map((sample, index) => (index ? Math.max(0, sum(sample, names) - sum(samples[index - 1], names)) : null));
}

/** A chart of these samples: title, unit, and its lines by name. */
export function chart(samples, title, unit, lines) {
  return { title, unit, times: samples.map((sample) => sample.at), lines: Object.entries(lines).map(([name, values]) => ({ name, values })) };
}

/** The charts that say the most. */
export function firstCharts(samples) {
  return [
    chart(samples, 'packets', '/s', { out: rates(samples, ['swim.packets.sent']), in: rates(samples, ['swim.packets.received']) }),
    chart(samples, 'health score', '', { '': gauge(samples, 'memberlist.health.score') }),
    chart(samples, 'suspicions', '', { heard: steps(samples, ['memberlist.msg.suspect']), 'refuted here': steps(samples, ['swim.refutations']) }),
    chart(samples, 'broadcasts queued', '', { '': gauge(samples, 'memberlist.queue.broadcasts') }),
  ];
}
