import * as fc from 'fast-check';
import { NAT_GATEWAY, S3_GATEWAY_ENDPOINT } from '../../bench/fleet/fleet';
import type { PushScenario } from '../../bench/fleet/push';
import { secondsUntil, simulatePush } from '../../bench/fleet/push';

const SCENARIO: PushScenario = {
  seed: 1,
  nodes: 100,
  maxConcurrency: 500,
  ramp: 'acknowledged',
  image: { megabytes: 1000, layers: 10 },
  node: { programSeconds: 0.4, unpackSecondsPerMegabyte: 0.0072, spread: 0.15 },
  network: S3_GATEWAY_ENDPOINT,
};

const scenarios = fc.record({
  seed: fc.integer(),
  nodes: fc.integer({ min: 1, max: 200 }),
  maxConcurrency: fc.integer({ min: 1, max: 200 }),
  ramp: fc.constantFrom('acknowledged' as const, 'completed' as const),
  unreachable: fc.double({ min: 0, max: 1, noNaN: true }),
  holdSeconds: fc.integer({ min: 0, max: 600 }),
  expires: fc.option(fc.integer({ min: 1, max: 1000 }), { nil: undefined }),
}).map((drawn): PushScenario => ({ ...SCENARIO, ...drawn }));

test('each node has it, failed, was unreachable or was not sent to', () => {
  fc.assert(fc.property(scenarios, scenario => {
    const { arrived, failed, unreachable, notSent, mostInFlight, gigabytes } = simulatePush(scenario);
    expect(arrived.length + failed + unreachable + notSent).toBe(scenario.nodes);
    expect(mostInFlight).toBeLessThanOrEqual(scenario.maxConcurrency);
    expect(gigabytes).toBeCloseTo(arrived.length, 6);
    expect([...arrived].sort((a, b) => a - b)).toEqual(arrived);
  }), { numRuns: 60 });
});

test('the same seed gives the same run, another seed another one', () => {
  expect(simulatePush(SCENARIO)).toEqual(simulatePush(SCENARIO));
  expect(simulatePush({ ...SCENARIO, seed: 2 }).arrived).not.toEqual(simulatePush(SCENARIO).arrived);
});

test('more bandwidth is never slower', () => {
  fc.assert(fc.property(scenarios, fc.integer({ min: 100, max: 5000 }), fc.double({ min: 1, max: 10, noNaN: true }), (scenario, shared, more) => {
    const last = (sharedMegabytesPerSecond: number) => {
      const { arrived, throttled } = simulatePush({ ...scenario, expires: undefined, network: { ...scenario.network, sharedMegabytesPerSecond } });
      return { seconds: arrived.at(-1) ?? 0, throttled };
    };
    const [before, after] = [last(shared), last(shared * more)];
    // Throttled requests draw lots for when they come again.
    fc.pre(before.throttled === 0 && after.throttled === 0);
    expect(after.seconds).toBeLessThanOrEqual(before.seconds * (1 + 1e-9));
  }), { numRuns: 40 });
});

test('a larger window is not slower as long as ECR throttles nobody', () => {
  const last = [1, 5, 20, 100].map(maxConcurrency => simulatePush({ ...SCENARIO, maxConcurrency }).arrived.at(-1)!);
  expect([...last].sort((a, b) => b - a)).toEqual(last);
});

test('nodes that cannot be reached hold their places, and take them all when they are more', () => {
  const full = { ...SCENARIO, nodes: 40, maxConcurrency: 10, unreachable: 0.5, seed: 3 };
  const reached = full.nodes / 2;
  const short = secondsUntil(1, simulatePush({ ...full, holdSeconds: 60 }), reached)!;
  const long = secondsUntil(1, simulatePush({ ...full, holdSeconds: 3600 }), reached)!;
  expect(long).toBeGreaterThan(3600);
  expect(short).toBeLessThan(3600);
});

test('a roll-out that lasts longer than the command does not come to all', () => {
  const result = simulatePush({ ...SCENARIO, maxConcurrency: 5, expires: 60 });
  expect(result.notSent).toBeGreaterThan(0);
  expect(secondsUntil(1, result, SCENARIO.nodes)).toBeUndefined();
});

test('10,000 nodes at once are more than ECR lets through at once; 500 at a time are not', () => {
  const fleet = { ...SCENARIO, nodes: 10_000 };
  expect(simulatePush({ ...fleet, maxConcurrency: 10_000 }).throttled).toBeGreaterThan(0);
  expect(simulatePush(fleet).throttled).toBe(0);
});

test('behind a NAT gateway the gateway decides', () => {
  const gigabytes = 2_000;
  const { arrived, peakTraffic } = simulatePush({ ...SCENARIO, nodes: gigabytes, network: NAT_GATEWAY });
  expect(peakTraffic).toBeCloseTo(NAT_GATEWAY.sharedMegabytesPerSecond, 6);
  expect(arrived.at(-1)).toBeGreaterThan(gigabytes * 1000 / NAT_GATEWAY.sharedMegabytesPerSecond);
});
