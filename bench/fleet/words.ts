/** `8.2 s`, `74 s`, `12 min`, `3.1 h`. */
export function seconds(value: number | undefined): string {
  return several([value]);
}

/** Several in one cell, in the unit of the longest: `8.2 / 14 / 21 s`. */
export function several(values: (number | undefined)[]): string {
  const longest = Math.max(0, ...values.map(value => value ?? 0));
  const [unit, of] = longest < 120 ? ['s', 1] : longest < 7200 ? ['min', 60] : ['h', 3600];
  const words = values.map(value => {
    if (value === undefined) {
      return 'never';
    }
    return value / of < 9.95 ? (value / of).toFixed(1) : (value / of).toFixed(0);
  });
  const last = values.length - 1 - [...values].reverse().findIndex(value => value !== undefined);
  return words.map((word, at) => at === last ? `${word} ${unit}` : word).join(' / ');
}

export function dollars(value: number): string {
  if (value < 0.1) {
    return `$${Number(value.toPrecision(2))}`;
  }
  return value < 1_000 ? `$${value.toFixed(2)}` : `$${count(value)}`;
}

export function count(value: number): string {
  return value.toLocaleString('en', { maximumFractionDigits: 0 });
}

/** A table in Markdown. */
export function table(head: string[], rows: string[][]): string {
  return [head, head.map(() => '---'), ...rows].map(cells => `| ${cells.join(' | ')} |`).join('\n');
}
