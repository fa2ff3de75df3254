import * as fc from 'fast-check';
import type { Invocation, Ramp } from '../../bench/fleet/dispatch-window';
import { DispatchWindow } from '../../bench/fleet/dispatch-window';
import { Timeline } from '../../bench/fleet/timeline';

interface Run {
  readonly most: number;
  readonly startedAt: number[];
  readonly completed: number;
  readonly left: number;
}

/** Counts by itself: what the window says of itself is not asked. */
function run(durations: number[], maxConcurrency: number, ramp: Ramp, expires?: number, acknowledge = 0.1): Run {
  const timeline = new Timeline();
  let running = 0;
  let most = 0;
  let completed = 0;
  const startedAt: number[] = [];
  const window = new DispatchWindow(timeline, durations.map((seconds): Invocation => (acknowledged, done) => {
    startedAt.push(timeline.now);
    most = Math.max(most, ++running);
    timeline.after(Math.min(acknowledge, seconds), acknowledged);
    timeline.after(seconds, () => {
      running--;
      completed++;
      done();
    });
  }), { maxConcurrency, ramp, expires });
  window.start();
  timeline.run();
  return { most, startedAt, completed, left: window.left };
}

const durations = fc.array(fc.double({ min: 0, max: 100, noNaN: true }), { minLength: 1, maxLength: 60 });
const ramp = fc.constantFrom<Ramp>('acknowledged', 'completed');

test('there are never more in flight than maxConcurrency, and each is sent once', () => {
  fc.assert(fc.property(durations, fc.integer({ min: 1, max: 70 }), ramp, (seconds, maxConcurrency, how) => {
    const { most, completed, left } = run(seconds, maxConcurrency, how);
    expect(most).toBeLessThanOrEqual(maxConcurrency);
    expect([completed, left]).toEqual([seconds.length, 0]);
  }), { numRuns: 60 });
});

test.each<[Ramp, number[]]>([
  ['acknowledged', [0, 0.1, 0.1, 0.2, 0.2, 0.2, 0.2]],
  ['completed', [0, 10, 10, 20, 20, 20, 20]],
])('goes to one node, then to two more for each that has %s', (how, startedAt) => {
  const seconds = run(Array(7).fill(10), 100, how).startedAt;
  expect(seconds.map(at => Math.round(at * 10) / 10)).toEqual(startedAt);
});

test('once full, a place that falls free is taken at once', () => {
  expect(run(Array(6).fill(10), 2, 'acknowledged').startedAt.map(Math.round)).toEqual([0, 0, 10, 10, 20, 20]);
});

test('two nodes get it side by side only where both may, and only when the first has acknowledged', () => {
  expect(run([10, 10], 2, 'acknowledged').startedAt).toEqual([0, 0.1]);
  expect(run([10, 10], 1, 'acknowledged').startedAt).toEqual([0, 10]);
  expect(run([10, 10], 2, 'completed').startedAt).toEqual([0, 10]);
});

test('what has not been sent when the command expires is not sent', () => {
  fc.assert(fc.property(durations, fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 200 }), ramp, (seconds, most, expires, how) => {
    const { startedAt, completed, left } = run(seconds, most, how, expires);
    expect(startedAt.every(at => at < expires)).toBe(true);
    expect(completed + left).toBe(seconds.length);
  }), { numRuns: 60 });
  expect(run(Array(10).fill(10), 1, 'completed', 35).left).toBe(6);
});

test('refuses a window without a place', () => {
  expect(() => new DispatchWindow(new Timeline(), [], { maxConcurrency: 0, ramp: 'completed' })).toThrow('maxConcurrency must be at least 1, got 0');
});
