/** How much `ys` grow for each step, by least squares: one outlier does not decide, as it would with first and last. */
export function slope(ys: readonly number[]): number {
  const middle = (ys.length - 1) / 2;
  const mean = ys.reduce((sum, y) => sum + y, 0) / ys.length;
  let [above, below] = [0, 0];
  for (const [x, y] of ys.entries()) {
    above += (x - middle) * (y - mean);
    below += (x - middle) ** 2;
  }
  return below === 0 ? 0 : above / below;
}
