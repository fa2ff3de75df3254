import { Clock } from './clock';

test('waits end in their order, at their time, and nobody waits for them', async () => {
  const clock = new Clock();
  const over: [string, number][] = [];
  const wait = async (name: string, seconds: number) => {
    await clock.wait(seconds);
    over.push([name, Math.round(clock.now / 1000)]);
  };
  await Promise.all([wait('hour', 3600), wait('minute', 60), wait('two minutes', 60).then(() => wait('later', 60))]);
  expect(over).toEqual([['minute', 60], ['two minutes', 60], ['later', 120], ['hour', 3600]]);
});

test('what takes real time goes before a wait', async () => {
  const clock = new Clock();
  const order: string[] = [];
  const wait = clock.wait(3600).then(() => order.push('wait'));
  for (const work of ['first', 'second']) {
    await clock.during(() => new Promise<void>(resolve => setTimeout(resolve, 5)));
    order.push(work);
  }
  await wait;
  expect(order).toEqual(['first', 'second', 'wait']);
});
