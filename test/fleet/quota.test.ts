import * as fc from 'fast-check';
import { Quota } from '../../bench/fleet/quota';
import { Random } from '../../bench/fleet/random';
import { Timeline } from '../../bench/fleet/timeline';

test('lets no more through than its rate and its burst', () => {
  fc.assert(fc.property(fc.integer(), fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 200 }), (seed, rate, requests) => {
    const timeline = new Timeline();
    const quota = new Quota(timeline, rate);
    const granted: number[] = [];
    let refused = 0;
    for (let one = 0; one < requests; one++) {
      const random = Random.ofNode(seed, one);
      timeline.at(random.between(0, 10), () => quota.ask(1, random, () => granted.push(timeline.now), () => refused++));
    }
    timeline.run();
    expect(granted.length + refused).toBe(requests);
    const over = granted.flatMap((from, index) => granted.slice(index).map((until, further) => further + 1 - rate - (until - from) * rate));
    expect(Math.max(...over)).toBeLessThanOrEqual(1e-6);
  }), { numRuns: 30 });
});

test('is asked six times, with ever longer pauses, and then no more', () => {
  const timeline = new Timeline();
  const quota = new Quota(timeline, 1, 1);
  let refusedAt = 0;
  quota.ask(2, new Random(1), () => { throw new Error('more than the quota was let through'); }, () => {
    refusedAt = timeline.now;
  });
  timeline.run();
  expect(quota.requests).toBe(12);
  expect(quota.throttled).toBe(12);
  // 1 + 2 + 4 + 8 + 16 seconds, each half to one and a half times.
  expect(refusedAt).toBeGreaterThan(15.5);
  expect(refusedAt).toBeLessThan(46.5);
});
