// @ts-check
/** The first difference of two traces, and the views at their ends: the rule of `swim sim replay --diff`. */

/** @typedef {import('./trace.js').Trace} Trace */
/** @typedef {import('./words.js').Fields} Fields */

/**
 * @typedef {object} Difference
 * @property {number} index of the first record that differs
 * @property {number} line the line of the file, where the header is line 1
 * @property {Fields | null} left the record there; null if the first trace ends there
 * @property {Fields | null} right the same of the second
 * @property {Change[]} changes the fields in which those two differ
 * @property {Change[]} made differences in how the runs were made
 * @property {{observer: string, member: string, left: string, right: string}[]} views at the end
 */

/** @typedef {{place: string, left: any, right: any}} Change */

/** None if the traces are equal except for their headers. @param {Trace} first @param {Trace} second @returns {Difference | null} */
export function firstDifference(first, second) {
  const most = Math.max(first.records.length, second.records.length);
  for (let index = 0; index < most; index += 1) {
    const left = first.records[index] ?? null, right = second.records[index] ?? null;
    if (isSame(left, right)) continue;
    return {
      index,
      line: index + 2,
      left,
      right,
      changes: left && right ? changesOf(left, right) : [],
      made: changesOf(first.header, second.header),
      views: viewChanges(first, second),
    };
  }
  return null;
}

/** @param {any} left @param {any} right @returns {boolean} */
function isSame(left, right) {
  if (left === right) return true;
  if (left === null || right === null || typeof left !== 'object' || typeof right !== 'object') return false;
  const names = Object.keys(left);
  if (Array.isArray(left) !== Array.isArray(right) || names.length !== Object.keys(right).length) return false;
  return names.every((name) => Object.hasOwn(right, name) && isSame(left[name], right[name]));
}

/** @param {any} left @param {any} right @param {string} [place] @returns {Change[]} */
function changesOf(left, right, place = '') {
  if (isSame(left, right)) return [];
  const isList = Array.isArray(left) && Array.isArray(right);
  const areObjects = !isList && isObject(left) && isObject(right);
  if (!isList && !areObjects) return [{ place, left: left ?? null, right: right ?? null }];
  const names = [...new Set([...Object.keys(left), ...Object.keys(right)])];
  if (areObjects) names.sort();
  return names.flatMap((name) => {
    const where = isList ? `${place}[${name}]` : place ? `${place}.${name}` : name;
    return changesOf(own(left, name), own(right, name), where);
  });
}

/** @param {any} value */
function isObject(value) {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}

/** @param {any} value @param {string} name */
function own(value, name) {
  return Object.hasOwn(value, name) ? value[name] : null;
}

/** @param {Trace} first @param {Trace} second */
function viewChanges(first, second) {
  const left = finalViews(first), right = finalViews(second);
  const keys = [...new Set([...left.keys(), ...right.keys()])].sort();
  return keys
    .filter((key) => left.get(key) !== right.get(key))
    .map((key) => {
      const [observer, member] = JSON.parse(key);
      return { observer, member, left: left.get(key) ?? '-', right: right.get(key) ?? '-' };
    });
}

/** @param {Trace} trace @returns {Map<string, string>} */
function finalViews(trace) {
  const events = trace.records.filter((record) => record.kind === 'event');
  return new Map(events.map((record) => [JSON.stringify([record.node, record.member]), record.after]));
}
