// @ts-check
/** Time as the player shows it: packets fly for half a millisecond and suspicions last for seconds. */

import { upperBound } from './trace.js';

/** @typedef {import('./trace.js').Trace} Trace */

/** Wall seconds of a group of records, from few of them to many. */
const GROUP_LEAST = 0.25;
const GROUP_MOST = 0.4;
const MANY = 20;
/** Wall seconds of a silence, at most. */
const GAP_MOST = 0.4;
/** Records belong together while the next one is no more packet flights away, and the group no longer. */
const NEAR = 5;
const LONG = 40;
const USUAL = 0.0005;

/** A map between trace seconds and wall seconds, both increasing. */
export class Pace {
  /**
   * @param {number[]} times knots, trace seconds
   * @param {number[]} walls the same, wall seconds
   */
  constructor(times, walls) {
    this.times = times;
    this.walls = walls;
    this.total = walls.at(-1) ?? 0;
  }

  /** Time as it was. @param {Trace} trace */
  static linear(trace) {
    const end = Math.max(trace.end, 1e-6);
    return new Pace([0, end], [0, end]);
  }

  /** Each group of records takes a moment, and each silence at most another. @param {Trace} trace */
  static warped(trace) {
    const flight = usualFlight(trace);
    const times = [0], walls = [0];
    const knot = (/** @type {number} */ at, /** @type {number} */ wall) => {
      if (at <= /** @type {number} */ (times.at(-1))) return;
      times.push(at);
      walls.push(/** @type {number} */ (walls.at(-1)) + wall);
    };
    const all = trace.times;
    let start = 0;
    for (let index = 1; index <= all.length; index += 1) {
      const isIn = index < all.length && all[index] - all[index - 1] <= NEAR * flight;
      if (isIn && all[index] - all[start] <= LONG * flight) continue;
      const before = /** @type {number} */ (times.at(-1));
      knot(all[start], Math.min(GAP_MOST, all[start] - before));
      const share = Math.min(1, (index - start) / MANY);
      knot(Math.min(trace.end, Math.max(all[index - 1], all[start] + flight)), GROUP_LEAST + share * (GROUP_MOST - GROUP_LEAST));
      start = index;
    }
    return times.length > 1 ? new Pace(times, walls) : Pace.linear(trace);
  }

  /** @param {number} at trace seconds */
  wallAt(at) {
    return between(this.times, this.walls, at);
  }

  /** @param {number} wall seconds */
  timeAt(wall) {
    return between(this.walls, this.times, wall);
  }

  /** A time's place on the axis, from 0 to 1. @param {number} at */
  share(at) {
    return this.total ? Math.min(1, Math.max(0, this.wallAt(at) / this.total)) : 0;
  }

  /** The trace seconds of the silence at a moment if it is shortened, else 0. @param {number} at */
  silence(at) {
    const index = upperBound(this.times, at);
    const time = (this.times[index] ?? at) - (this.times[index - 1] ?? at);
    const wall = (this.walls[index] ?? 0) - (this.walls[index - 1] ?? 0);
    return wall > 0 && time > wall * 1.001 ? time : 0;
  }
}

/** @param {Trace} trace */
function usualFlight(trace) {
  const some = trace.flights.slice(0, 500).map((flight) => flight.arrives - flight.sent);
  const took = some.filter((each) => each > 0).sort((a, b) => a - b);
  return took[took.length >> 1] ?? USUAL;
}

/** @param {number[]} from @param {number[]} to @param {number} value */
function between(from, to, value) {
  const index = Math.min(Math.max(upperBound(from, value), 1), from.length - 1);
  const [a, b] = [from[index - 1], from[index]];
  const share = b > a ? Math.min(1, Math.max(0, (value - a) / (b - a))) : 0;
  return to[index - 1] + share * (to[index] - to[index - 1]);
}
