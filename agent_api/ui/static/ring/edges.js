// @ts-check
/** Lines between members: who suspects whom and until when, acks, and round-trip times. */
import { nothing, svg } from '../vendor/lit-html.js';
import { span } from '../format.js';
import { refresh } from '../measured.js';
import { millis } from '../member.js';
import { reasonOf } from '../sentences.js';
import { stateOf } from '../store.js';
import { accusersOf, edgesOf } from './members.js';

const FADE = 30_000; // ms that the arrow of a decisive accuser stays

/** What is left of a suspicion, as an arc that shrinks. */
export function deadline(state, { started, deadline: end }, x, y, radius) {
  const total = Date.parse(end) - Date.parse(started) || 1;
  const left = Math.max(0, Math.min(1, (Date.parse(end) - state.now) / total));
  const around = 2 * Math.PI * radius;
  return svg`<circle class="deadline" cx=${x} cy=${y} r=${radius} stroke-dasharray="${around * left} ${around}" transform="rotate(-90 ${x} ${y})"/>`;
}

/** Lines from accusers to suspects, and those of acks and round-trip times from the observer. */
export function edges(state, members, places) {
  const chosen = edgesOf(state.route);
  if (chosen.has('acks') || chosen.has('rtt')) refresh(state);
  const found = [];
  const near = state.ui.hover;
  const line = (from, to, kind, title, opacity, width) => {
    const [a, b] = [places.get(from), places.get(to)];
    if (!a || !b || from === to) return;
    const length = Math.hypot(b.x - a.x, b.y - a.y) || 1;
    const [ux, uy] = [(b.x - a.x) / length, (b.y - a.y) / length];
    const isFaint = near && near !== from && near !== to;
    found.push(svg`<line class="edge ${kind}" x1=${a.x + ux * 14} y1=${a.y + uy * 14} x2=${b.x - ux * 20} y2=${b.y - uy * 20} opacity=${isFaint ? 0.12 : opacity}
      stroke-width=${width} marker-end=${kind === 'accuses' || kind === 'decided' ? `url(#${kind})` : nothing}><title>${title}</title></line>`);
  };
  const rtts = members.map((m) => m.rtt).filter((each) => each > 0);
  const mean = rtts.reduce((sum, each) => sum + each, 0) / rtts.length;
  const deviation = Math.sqrt(rtts.reduce((sum, each) => sum + (each - mean) ** 2, 0) / rtts.length) || 1;
  for (const m of members) {
    const last = state.store.latest.get(m.name);
    if (chosen.has('suspicion') && stateOf(m) === 'suspect') {
      const accusers = accusersOf(state, m);
      for (const each of accusers) line(each, m.name, 'accuses', `${each} suspects ${m.name}: ${last ? reasonOf(last) : ''}`, 1, 1.2 + Math.min(3, accusers.length * 0.5));
    }
    const age = state.now - (last?.at ?? NaN);
    if (chosen.has('suspicion') && last?.after === 'failed' && last.accuser && age < FADE) line(last.accuser, m.name, 'decided', `${m.name} failed: ${reasonOf(last)}`, 1 - age / FADE, 1.6);
    if (chosen.has('acks') && m.last_ack) line(state.observer, m.name, 'acked', `last ack ${span(state.now - Date.parse(m.last_ack))} ago`, Math.max(0.1, 1 - (state.now - Date.parse(m.last_ack)) / 60_000), 1.2);
    if (chosen.has('rtt') && m.rtt) line(state.observer, m.name, (m.rtt - mean) / deviation > 1 ? 'far' : (m.rtt - mean) / deviation < -1 ? 'close' : 'usual', `${millis(m.rtt)} ms`, 0.8, 1.2);
  }
  const head = (id) => svg`<marker id=${id} viewBox="0 0 8 8" refX="6" refY="4" markerWidth="7" markerHeight="7" markerUnits="userSpaceOnUse" orient="auto"><path class="head ${id}" d="M0 0 8 4 0 8z"/></marker>`;
  return svg`<defs>${head('accuses')}${head('decided')}</defs>${found}`;
}
