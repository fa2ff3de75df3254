import { S3_GATEWAY_ENDPOINT } from '../../bench/fleet/fleet';
import { churn, scaleOut, simulateJoins } from '../../bench/fleet/joins';
import { Random } from '../../bench/fleet/random';
import { simulateReconcile } from '../../bench/fleet/reconcile';

const node = { programSeconds: 0.4, unpackSecondsPerMegabyte: 0.0072, spread: 0.15 };
const STORM = { seed: 1, nodes: 2_000, maxConcurrency: 2_000, ramp: 'acknowledged', repositories: 1, presentSeconds: 1, node, network: S3_GATEWAY_ENDPOINT } as const;

test('the start delay takes the storm out of a reconcile', () => {
  const with_ = simulateReconcile({ ...STORM, startDelaySeconds: 120 });
  const without = simulateReconcile({ ...STORM, startDelaySeconds: 0 });
  expect(with_.throttled).toBe(0);
  expect(without.throttled).toBeGreaterThan(1_000);
  expect(with_.peak.describe).toBeLessThan(without.peak.describe / 3);
});

test('each node has its run, whatever the window is, and a node waits inside its place', () => {
  const wide = simulateReconcile({ ...STORM, startDelaySeconds: 120 });
  const narrow = simulateReconcile({ ...STORM, startDelaySeconds: 120, maxConcurrency: 100 });
  for (const { done, failed } of [wide, narrow]) {
    expect(done.length + failed).toBe(STORM.nodes);
  }
  expect(narrow.mostInFlight).toBe(100);
  expect(narrow.done.at(-1)).toBeGreaterThan(5 * wide.done.at(-1)!);
});

test('nodes that join together share the way, and none is lost', () => {
  const random = new Random(7);
  const booted = scaleOut(random, 300, 60);
  const image = { megabytes: 1000, layers: 10 };
  const narrow = simulateJoins({ seed: 1, booted, image, node, network: { ...S3_GATEWAY_ENDPOINT, sharedMegabytesPerSecond: 1000 } });
  const wide = simulateJoins({ seed: 1, booted, image, node, network: S3_GATEWAY_ENDPOINT });
  for (const { cold, failed } of [narrow, wide]) {
    expect(cold.length + failed).toBe(300);
  }
  expect(narrow.warmAt.at(-1)).toBeGreaterThanOrEqual(300);
  expect(wide.warmAt.at(-1)).toBeLessThan(100);
});

test('churn replaces each node about once in the given time', () => {
  const booted = churn(new Random(1), 1_000, 24, 24);
  expect(booted.length).toBeGreaterThan(900);
  expect(booted.length).toBeLessThan(1_100);
  expect(booted.every((at, index) => at < 24 * 3600 && (index === 0 || at >= booted[index - 1]))).toBe(true);
});
