/** What a check needs of bench/results.json. */
export interface Rows {
  readonly rows: { readonly name: string; readonly ratio: number; readonly reached: boolean }[];
}

/** Medians of five pairs differ by about that much from run to run. */
const NOISE = 0.1;

/** What got worse, in words. A row that is gone is worse, too. */
export function regressions(then: Rows, now: Rows): string[] {
  return then.rows.flatMap(before => {
    const after = now.rows.find(({ name }) => name === before.name);
    if (!after) {
      return [`${before.name}: was ${words(before.ratio)}, is not measured any more`];
    }
    if (after.ratio > before.ratio * (1 + NOISE)) {
      return [`${before.name}: was ${words(before.ratio)}, is ${words(after.ratio)}`];
    }
    if (before.reached && !after.reached) {
      return [`${before.name}: was within its limit at ${words(before.ratio)}, is over it at ${words(after.ratio)}`];
    }
    return [];
  });
}

function words(ratio: number): string {
  return `${ratio.toFixed(3)}×`;
}
