import { pushCost, reconcileCost } from '../../bench/fleet/cost';

const PUSH = { nodes: 1_000, gigabytes: 2, prefetchers: 1, reportBytes: 500 } as const;

test('a push costs its automation steps, its gigabytes and its report', () => {
  const { automation, traffic, logs, total } = pushCost({ ...PUSH, prefetchers: 3, route: 'nat-gateway' });
  expect(automation).toBeCloseTo(3 * 0.002, 9);
  expect(traffic).toBeCloseTo(1_000 * 2 * 0.045, 9);
  expect(logs).toBeCloseTo(1_000 * 500 / 1e9 * 0.5, 9);
  expect(total).toBeCloseTo(automation + traffic + logs, 12);
});

test('through the gateway endpoint of S3 the layers cost nothing', () => {
  expect(pushCost({ ...PUSH, route: 's3-gateway-endpoint' }).traffic).toBe(0);
  expect(pushCost({ ...PUSH, nodes: 10_000, route: 's3-gateway-endpoint' }).total).toBeLessThan(0.01);
});

test('a month of reconciles costs its reports', () => {
  // 1,000 nodes, 48 runs a day, 30 days, 600 bytes: 864 MB.
  expect(reconcileCost(1_000, 30, 600)).toBeCloseTo(0.432, 6);
});
