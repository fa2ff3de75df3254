import { commandStatus } from './command-status';
import type { Invocation } from './run-command';

const status = (maxErrors: number, ...statuses: Invocation['status'][]) =>
  commandStatus(statuses.map((each, index) => ({ node: `node-${index}`, instanceId: `i-${index}`, status: each })), maxErrors);

test.each<[string, Invocation['status'][], number]>([
  ['NoInstancesInTag', [], 0],
  ['Success', ['Success', 'Success'], 0],
  ['Success', ['Undeliverable', 'Undeliverable', 'Success'], 0],
  ['Success', ['AccessDenied', 'Success'], 0],
  ['Failed', ['Undeliverable', 'AccessDenied'], 5],
  ['Failed', ['Failed', 'Success'], 0],
  ['Failed', ['Failed', 'Success', 'Success'], 1],
  ['Incomplete', ['Failed', 'Success', 'Success'], 2],
  ['Failed', ['Failed', 'ExecutionTimedOut', 'Success'], 2],
  ['ExecutionTimedOut', ['ExecutionTimedOut', 'Success'], 0],
  ['Incomplete', ['ExecutionTimedOut', 'Success'], 2],
  ['DeliveryTimedOut', ['DeliveryTimedOut', 'Success'], 1],
  ['Incomplete', ['DeliveryTimedOut', 'Success', 'Success'], 2],
  ['Incomplete', ['DeliveryTimedOut', 'Undeliverable', 'Success'], 2],
])('a command is %s after %j with MaxErrors %i', (expected, statuses, maxErrors) => {
  expect(status(maxErrors, ...statuses)).toBe(expected);
});
