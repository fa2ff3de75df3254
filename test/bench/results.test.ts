import { measuredFrom } from '../../bench/fleet/from-results';
import { inTurns } from '../../bench/pairs';
import { regressions } from '../../bench/regressions';
import type { Limit, Row } from '../../bench/row';
import { toResult } from '../../bench/row';

function row(limit: Limit): Row {
  return { name: 'row', what: 'a', against: 'b', limit, measure: () => ({ samples: {}, unit: 's' }) };
}

test('a ratio is the median of those of the pairs, not that of the medians', () => {
  const { ratio } = toResult(row({ ratio: 1 }), { samples: { a: [1, 20, 3], b: [2, 10, 12] }, unit: 's' });
  expect(ratio).toBe(0.5);
});

test.each<[Limit, boolean]>([
  [{ ratio: 1 }, false],
  [{ ratio: 1.5 }, true],
  [{ ratio: 1, plus: 5 }, true],
  [{ ratio: 1, plus: 4.9 }, false],
  [{ ratio: 1.5, over: 5 }, true],
  [{ ratio: 1.6, over: 4.9 }, false],
  [{ ratio: 1.4, over: 5 }, false],
])('15 against 10 is within %j: %s', (limit, reached) => {
  expect(toResult(row(limit), { samples: { a: [15, 15, 15], b: [10, 10, 10] }, unit: 's' }).reached).toBe(reached);
});

test('one fixed value is held against every sample', () => {
  expect(toResult(row({ ratio: 1 }), { samples: { a: [10, 30, 20], allowed: [40] }, unit: 'MiB' })).toMatchObject({ ratio: 0.5, reached: true });
});

test('contenders take turns, each time another one first, and what undoes them is not measured', async () => {
  const order: string[] = [];
  const samples = await inTurns(3, ...['a', 'b'].map((name, at) => ({
    name,
    run: async () => {
      order.push(name);
      return at;
    },
    forget: async () => void order.push(`-${name}`),
  })));
  expect(order).toEqual(['a', '-a', 'b', '-b', 'b', '-b', 'a', '-a', 'a', '-a', 'b', '-b']);
  expect(samples).toEqual({ a: [0, 0, 0], b: [1, 1, 1] });
});

test('a ratio that got worse, a limit that is passed and a row that is gone are regressions; noise and gains are not', () => {
  const then = { rows: ['worse', 'over', 'gone', 'noise', 'better'].map(name => ({ name, ratio: 1, reached: name !== 'noise' })) };
  const now = {
    rows: [
      { name: 'worse', ratio: 1.2, reached: true },
      { name: 'over', ratio: 1.05, reached: false },
      { name: 'noise', ratio: 1.09, reached: false },
      { name: 'better', ratio: 0.5, reached: true },
      { name: 'new', ratio: 9, reached: false },
    ],
  };
  expect(regressions(then, now)).toEqual([
    'worse: was 1.000×, is 1.200×',
    'over: was within its limit at 1.000×, is over it at 1.050×',
    'gone: was 1.000×, is not measured any more',
  ]);
});

test('the simulation gets the figures that were measured, and keeps the others', () => {
  const measured = toResult({ ...row({ ratio: 1 }), name: 'program' }, {
    samples: { program: [8.5, 8.1, 8.3], pull: [8, 8, 8] }, unit: 's', figures: { megabytes: 1000, layers: 10 },
  });
  const figures = measuredFrom([measured], { cores: 4, processor: 'P', containerd: '2.2.4' });
  expect(figures.fast.programSeconds.value).toBeCloseTo(0.3, 6);
  expect(figures.fast.unpackSecondsPerMegabyte.value).toBeCloseTo(0.008, 6);
  expect(figures.slow.unpackSecondsPerMegabyte.value).toBe(0.06);
  expect(figures.machine).toContain('4 cores (P)');
});
