import { dispatch, rateControl } from './rate-control';

async function order(count: number, maxConcurrency: number, maxErrors: number, failing: number[] = [], acknowledges = true) {
  const atATime: number[] = [];
  const started: number[] = [];
  let running = 0;
  const spared = await dispatch([...Array(count).keys()], { maxConcurrency, maxErrors }, async (item, acknowledged) => {
    started.push(item);
    atATime.push(++running);
    if (acknowledges) {
      acknowledged();
    }
    await new Promise(resolve => setTimeout(resolve, 5));
    running--;
    return failing.includes(item) ? 'error' : 'ok';
  });
  return { started, spared, most: Math.max(...atATime), first: atATime.slice(0, 3) };
}

test('starts with one node and never has more than maxConcurrency at a time', async () => {
  const { started, spared, most, first } = await order(12, 3, 0);
  expect(started).toHaveLength(12);
  expect(spared).toEqual([]);
  expect(most).toBe(3);
  expect(first).toEqual([1, 2, 3]);
});

test('goes to two more for each that was acknowledged, which is long before it is done', async () => {
  expect((await order(7, 100, 0)).most).toBe(7);
  expect((await order(7, 100, 0, [], false)).first).toEqual([1, 1, 2]);
});

test('stops when errors exceed maxErrors', async () => {
  expect((await order(5, 1, 0, [1])).spared).toEqual([2, 3, 4]);
  expect((await order(5, 1, 1, [1])).spared).toEqual([]);
  expect((await order(5, 1, 1, [0, 1])).spared).toEqual([2, 3, 4]);
});

test('starts no further node beside running ones once the errors are too many', async () => {
  const { started, spared } = await order(20, 4, 0, [3]);
  expect(started.length).toBeLessThan(10);
  expect(started.length + spared.length).toBe(20);
});

test('reads numbers and percent of the targets', () => {
  expect(rateControl('x', '20', '3', 50)).toEqual({ maxConcurrency: 20, maxErrors: 3 });
  expect(rateControl('x', '10%', '10%', 50)).toEqual({ maxConcurrency: 5, maxErrors: 5 });
  expect(rateControl('x', '1%', '0%', 3)).toEqual({ maxConcurrency: 1, maxErrors: 0 });
});

test.each([['0', '0'], ['101%', '0'], ['0%', '0'], ['1', '101%'], ['1', '-1'], ['', '0']])('refuses MaxConcurrency %j with MaxErrors %j', (concurrency, errors) => {
  expect(() => rateControl('Association', concurrency, errors, 1)).toThrow(/^Association: Max(Concurrency|Errors) must be/);
});
