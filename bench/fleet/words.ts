/** `8.2 s`, `74 s`, `12 min`, `3.1 h`. */
export function seconds(value: number | undefined): string {
  if (value === undefined) return 'never';
  if (value < 10) return `${value.toFixed(1)} s`;
  if (value < 120) return `${value.toFixed(0)} s`;
  return value < 7200 ? `${(value / 60).toFixed(0)} min` : `${(value / 3600).toFixed(1)} h`;
}

/** Several in one cell: `8.2 / 14 / 21 s`. */
export function several(values: (number | undefined)[]): string {
  const words = values.map(seconds);
  const unit = / (s|min|h)$/.exec(words.at(-1)!)?.[0];
  return words.map((word, at) => unit && at < words.length - 1 && word.endsWith(unit) ? word.slice(0, -unit.length) : word).join(' / ');
}

export function dollars(value: number): string {
  return value < 0.01 ? `$${value.toFixed(4)}` : `$${value.toFixed(2)}`;
}

export function count(value: number): string {
  return value.toLocaleString('en', { maximumFractionDigits: 0 });
}

/** A table in Markdown. */
export function table(head: string[], rows: string[][]): string {
  return [head, head.map(() => '---'), ...rows].map(cells => `| ${cells.join(' | ')} |`).join('\n');
}
