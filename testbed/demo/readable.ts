/** A value of a query's answer, short enough for a table. */
export function shown(column: string, value: unknown): string {
  if (value === undefined) {
    return '';
  }
  if (['@timestamp', 'since', 'newest'].includes(column)) {
    return new Date(value as number).toISOString().slice(11, 19);
  }
  if (typeof value === 'number') {
    return readable(value);
  }
  return String(value).replace(/^\d{12}\.dkr\.ecr\.[^/]+\//, '').replace(/^(sha256:[0-9a-f]{12})[0-9a-f]+$/, '$1');
}

export function readable(value: number): string {
  for (const [size, unit] of [[1e9, ' G'], [1e6, ' M']] as const) {
    if (value >= size) {
      return `${(value / size).toFixed(2)}${unit}`;
    }
  }
  return String(Math.round(value * 100) / 100);
}
