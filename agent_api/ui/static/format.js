// @ts-check
/** Values as text. Pure. */

/** A duration in ms as the page writes it: `4.2 s`, `3 min`, `5 h`, `3 d`; negative ones are 0. */
export function span(ms) {
  if (!Number.isFinite(ms)) return '–';
  const s = Math.max(0, ms) / 1000;
  if (s < 10) return `${s.toFixed(1)} s`;
  if (s < 100) return `${Math.floor(s)} s`;
  if (s < 5400) return `${Math.round(s / 60)} min`;
  if (s < 129600) return `${Math.round(s / 3600)} h`;
  return `${Math.round(s / 86400).toLocaleString('en')} d`;
}

/** The time of day of a moment in ms, here: `02:14:31`, with `.204` if `exact`. */
export function clock(ms, exact = false) {
  if (!Number.isFinite(ms)) return '–';
  const d = new Date(ms);
  const two = (n) => String(n).padStart(2, '0');
  const text = `${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}`;
  return exact ? `${text}.${String(d.getMilliseconds()).padStart(3, '0')}` : text;
}

/** `1 member`, `2 members`. */
export const plural = (n, word) => `${n.toLocaleString('en')} ${word}${n === 1 ? '' : 's'}`;

/** A name inside a sentence: its direction is its own, and what would turn the words behind it round is left out. */
export const isolated = (text) => (/[^\0-\u058f]/.test(text) ? `\u2068${text.replace(/[\u202a-\u202e\u2066-\u2069]/g, '')}\u2069` : text);
