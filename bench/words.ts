import type { Limit, Result } from './row';
import { median } from './statistics';

/** `0.74× (limit 0.75×)`, and what of. */
export function sentence({ name, what, against, ratio, limit, reached, samples, unit }: Result): string {
  const values = Object.entries(samples).map(([of, each]) => `${of} ${figure(median(each))}`).join(', ');
  return `${reached ? 'ok  ' : 'OVER'} ${ratio.toFixed(3)}× (at most ${allowed(limit, unit)})  ${name}: ${what}, against ${against} [${unit}: ${values}]`;
}

/** `1.05× + 2 s`, `1.03× and 0.25 s over`. */
export function allowed({ ratio, plus, over }: Limit, unit: string): string {
  return `${ratio}×${plus ? ` + ${plus} ${unit}` : ''}${over ? ` and ${over} ${unit} over` : ''}`;
}

export function figure(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3);
}
