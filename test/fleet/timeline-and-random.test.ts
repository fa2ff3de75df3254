import * as fc from 'fast-check';
import { Random } from '../../bench/fleet/random';
import { Timeline } from '../../bench/fleet/timeline';
import { median, quantile } from '../../bench/statistics';

test('things happen in the order of their times, those of one moment in the order they were added', () => {
  fc.assert(fc.property(fc.array(fc.integer({ min: 0, max: 20 }), { maxLength: 100 }), times => {
    const timeline = new Timeline();
    const happened: [number, number][] = [];
    times.forEach((time, order) => timeline.at(time, () => happened.push([timeline.now, order])));
    timeline.run();
    expect(happened).toEqual(times.map((time, order): [number, number] => [time, order]).sort((a, b) => a[0] - b[0] || a[1] - b[1]));
  }), { numRuns: 60 });
});

test('nothing can be added before now', () => {
  const timeline = new Timeline();
  timeline.at(5, () => expect(() => timeline.at(4, () => undefined)).toThrow('must not be before now (5), got 4'));
  timeline.run();
  expect(timeline.now).toBe(5);
});

test('numbers of a seed are even, and their spread is what was asked for', () => {
  const random = new Random(42);
  const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const draw = (next: () => number) => Array.from({ length: 20_000 }, next);
  expect(mean(draw(() => random.next()))).toBeCloseTo(0.5, 1);
  expect(mean(draw(() => random.exponential(3)))).toBeCloseTo(3, 0);
  const spread = draw(() => random.spread(0.15));
  expect(mean(spread)).toBeCloseTo(1, 2);
  expect(Math.sqrt(mean(spread.map(value => (value - 1) ** 2)))).toBeCloseTo(0.15, 2);
  expect(random.shuffle([...Array(50).keys()]).sort((a, b) => a - b)).toEqual([...Array(50).keys()]);
});

test('quantiles lie between the nearest values', () => {
  expect(median([3, 1, 2])).toBe(2);
  expect(median([4, 1, 2, 3])).toBe(2.5);
  expect(quantile([1, 2, 3, 4, 5], 0.25)).toBe(2);
  expect(() => median([])).toThrow('no values');
});
