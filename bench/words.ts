import type { Result } from './row';
import { median } from './statistics';

/** `0.74× (limit 0.75×)`, and what of. */
export function sentence({ name, what, against, ratio, limit, reached, samples, unit }: Result): string {
  const allowed = `${limit.ratio}×${limit.plus ? ` + ${limit.plus} ${unit}` : ''}`;
  const values = Object.entries(samples).map(([of, each]) => `${of} ${figure(median(each))}`).join(', ');
  return `${reached ? 'ok  ' : 'OVER'} ${ratio.toFixed(3)}× (at most ${allowed})  ${name}: ${what}, against ${against} [${unit}: ${values}]`;
}

export function figure(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3);
}
