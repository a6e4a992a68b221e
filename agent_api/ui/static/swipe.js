// @ts-check
/** Swipes on a touch screen. */

const LENGTH = 60; // px to the side
const SLANT = 0.5; // of that, up or down

let start = /** @type {{ x: number, y: number } | null} */ (null);

/** Where a finger came down, or null with a second one. */
export function touched(event) {
  const [one, other] = event.touches;
  start = other ? null : { x: one.clientX, y: one.clientY };
}

/** Which way a finger has gone since then: -1 to the left, 1 to the right, 0 for anything else. */
export function swiped(event) {
  if (!start) return 0;
  const [by, down] = [event.changedTouches[0].clientX - start.x, event.changedTouches[0].clientY - start.y];
  start = null;
  return Math.abs(by) >= LENGTH && Math.abs(down) <= SLANT * Math.abs(by) ? Math.sign(by) : 0;
}
