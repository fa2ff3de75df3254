import type { Bed } from './bed';
import { median } from './statistics';

export type Samples = Record<string, number[]>;

/** What must be reached: at most `ratio` times the reference, and `plus` in the samples' unit on top; and never more than `over` beyond it. */
export interface Limit {
  readonly ratio: number;
  readonly plus?: number;
  readonly over?: number;
}

export interface Measured {
  /** The first is what is measured, the second what it is held against; more are for the curious. */
  readonly samples: Samples;
  readonly unit: 's' | 'ms' | 'MiB' | 'characters' | '% of a core' | 'requests';
  /** What else was seen. */
  readonly figures?: Record<string, number | string>;
}

/** One row of the table: a claim, and how it is measured. */
export interface Row {
  readonly name: string;
  readonly what: string;
  readonly against: string;
  readonly limit: Limit;
  /** Why it can't be measured on this machine; empty when it can. */
  missing?(): string[];
  measure(bed: Bed): Promise<Measured> | Measured;
}

export interface Result extends Measured {
  readonly name: string;
  readonly what: string;
  readonly against: string;
  /** Median of the pairs' ratios. */
  readonly ratio: number;
  readonly limit: Limit;
  readonly reached: boolean;
}

/** bench/results.json. */
export interface Results {
  readonly machine: Record<string, string | number>;
  readonly rows: Result[];
}

export function toResult({ name, what, against, limit }: Row, measured: Measured): Result {
  const [subject, reference] = Object.values(measured.samples);
  const pairs = subject.map((value, at) => value / reference[at % reference.length]);
  const ratio = median(pairs);
  return { name, what, against, ratio, limit, reached: isReached(subject, reference, limit), ...measured };
}

function isReached(subject: number[], reference: number[], { ratio, plus = 0, over = Infinity }: Limit): boolean {
  const beyond = (times: number) => median(subject.map((value, at) => value - times * reference[at % reference.length]));
  return beyond(ratio) <= plus && beyond(1) <= over;
}
