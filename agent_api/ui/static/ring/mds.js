// @ts-check
/** A plane map from distances: classical multidimensional scaling. Pure, and the same every time. */

const ROUNDS = 60;

/** The distance of two Vivaldi coordinates in seconds: Serf's estimate of the round-trip time. */
export function rttOf(a, b) {
  const straight = Math.hypot(...a.vec.map((value, index) => value - (b.vec[index] ?? 0))) + a.height + b.height;
  const adjusted = straight + a.adjustment + b.adjustment;
  return adjusted > 0 ? adjusted : straight;
}

/**
 * Positions in the plane whose distances are near to `distances[i][j]`: the two greatest eigenvectors of the centred
 * squares, by power iteration.
 * @param {number[][]} distances
 * @returns {[number, number][]}
 */
export function planeOf(distances) {
  const n = distances.length;
  const squares = distances.map((row) => row.map((value) => value * value));
  const means = squares.map((row) => row.reduce((sum, value) => sum + value, 0) / n);
  const mean = means.reduce((sum, value) => sum + value, 0) / n;
  const centred = squares.map((row, i) => row.map((value, j) => -0.5 * (value - means[i] - means[j] + mean)));
  const axes = [0, 1].map((axis) => axisOf(centred, axis));
  return distances.map((_, i) => [axes[0][i], axes[1][i]]);
}

/** The greatest eigenvector, scaled by the root of its value; it is taken out of the matrix. */
function axisOf(matrix, axis) {
  const n = matrix.length;
  let vector = matrix.map((_, i) => Math.sin(1 + i * (axis + 1.7)));
  let length = 0;
  for (let round = 0; round < ROUNDS; round += 1) {
    const next = matrix.map((row) => row.reduce((sum, value, j) => sum + value * vector[j], 0));
    length = Math.hypot(...next);
    if (!length) return new Array(n).fill(0);
    vector = next.map((value) => value / length);
  }
  for (let i = 0; i < n; i += 1) for (let j = 0; j < n; j += 1) matrix[i][j] -= length * vector[i] * vector[j];
  const largest = vector.reduce((best, value) => (Math.abs(value) > Math.abs(best) ? value : best), 0);
  const scale = Math.sign(largest) * Math.sqrt(length);
  return vector.map((value) => value * scale);
}
