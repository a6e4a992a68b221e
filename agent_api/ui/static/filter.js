// @ts-check
/** The filter of members: words that must all match. Pure. */
import { hostPort } from './member.js';
import { stateOf } from './store.js';

/** `eu*` as a test of a whole value. */
function glob(pattern) {
  const parts = pattern.split('*').map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  const whole = new RegExp(`^${parts.join('.*')}$`, 'i');
  return (value) => whole.test(value);
}

function wordTest(word) {
  if (word.startsWith('status:')) {
    const wanted = word.slice(7).toLowerCase().split(',').filter(Boolean);
    return (m) => wanted.some((status) => stateOf(m).startsWith(status));
  }
  const at = word.indexOf('=');
  if (at > 0) {
    const [key, matches] = [word.slice(0, at), glob(word.slice(at + 1))];
    return (m) => Object.hasOwn(m.tags, key) && matches(m.tags[key]);
  }
  const text = word.toLowerCase();
  return (m) =>
    m.name.toLowerCase().includes(text) ||
    hostPort(m).includes(text) ||
    Object.entries(m.tags).some(([key, value]) => `${key}=${value}`.toLowerCase().includes(text));
}

/**
 * The test that a filter's text stands for: all its words must match; `-word` must not. `status:alive,suspect` is a
 * list of states, `key=value*` a tag, any other word a part of name, address or tags.
 */
export function filterOf(text) {
  const tests = text.split(/\s+/).filter((word) => word && word !== '-').map((word) => {
    const test = wordTest(word.replace(/^-/, ''));
    return word.startsWith('-') ? (m) => !test(m) : test;
  });
  return (m) => tests.every((test) => test(m));
}
