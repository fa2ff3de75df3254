import * as fc from 'fast-check';
import { SharedLink } from '../../bench/fleet/link';
import { Timeline } from '../../bench/fleet/timeline';

interface Transfer {
  readonly at: number;
  readonly megabytes: number;
}

function transfer(transfers: Transfer[], capacity: number, perNode: number) {
  const timeline = new Timeline();
  const link = new SharedLink(timeline, capacity, perNode);
  const done: number[] = Array(transfers.length).fill(Infinity);
  transfers.forEach(({ at, megabytes }, index) => timeline.at(at, () => link.transfer(megabytes, () => {
    done[index] = timeline.now;
  })));
  timeline.run();
  return { done, link };
}

const transfers = fc.array(fc.record({
  at: fc.double({ min: 0, max: 50, noNaN: true }),
  megabytes: fc.double({ min: 0.1, max: 1000, noNaN: true }),
}), { minLength: 1, maxLength: 40 });
const bandwidth = fc.double({ min: 1, max: 1000, noNaN: true });

test('one alone is as fast as its node, two share what is there', () => {
  expect(transfer([{ at: 0, megabytes: 100 }], 1000, 10).done).toEqual([10]);
  expect(transfer([{ at: 0, megabytes: 100 }, { at: 0, megabytes: 100 }], 10, 10).done).toEqual([20, 20]);
  // The second comes when the first is half done: 5 s alone, then both at half the speed, then the rest of the second alone.
  expect(transfer([{ at: 0, megabytes: 100 }, { at: 5, megabytes: 100 }], 10, 10).done).toEqual([15, 20]);
});

test('more bandwidth is never slower, for any of them', () => {
  fc.assert(fc.property(transfers, bandwidth, bandwidth, fc.double({ min: 1, max: 5, noNaN: true }), (each, capacity, perNode, more) => {
    const before = transfer(each, capacity, perNode).done;
    for (const after of [transfer(each, capacity * more, perNode).done, transfer(each, capacity, perNode * more).done]) {
      after.forEach((seconds, index) => expect(seconds).toBeLessThanOrEqual(before[index] * (1 + 1e-9)));
    }
  }), { numRuns: 60 });
});

test('all arrives, none faster than its node, and never more at a time than fits', () => {
  fc.assert(fc.property(transfers, bandwidth, bandwidth, (each, capacity, perNode) => {
    const { done, link } = transfer(each, capacity, perNode);
    const megabytes = each.reduce((sum, one) => sum + one.megabytes, 0);
    each.forEach((one, index) => expect((done[index] - one.at) * perNode).toBeGreaterThanOrEqual(one.megabytes * (1 - 1e-9)));
    expect(link.transferred).toBeCloseTo(megabytes, 6);
    expect(link.peak).toBeLessThanOrEqual(capacity * (1 + 1e-9));
    expect(Math.max(...done) * capacity).toBeGreaterThanOrEqual(megabytes * (1 - 1e-9));
  }), { numRuns: 60 });
});
