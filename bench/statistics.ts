export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** By linear interpolation between the two nearest values. */
export function quantile(values: readonly number[], share: number): number {
  if (values.length === 0) {
    throw new Error('no values to take a quantile of');
  }
  const sorted = [...values].sort((a, b) => a - b);
  const at = share * (sorted.length - 1);
  const below = Math.floor(at);
  return sorted[below] + (at - below) * ((sorted[below + 1] ?? sorted[below]) - sorted[below]);
}
