import type { Value } from './value';
import { deploy, FakeNode, pushOf } from '../../test/sample-template';

const fleet = (...names: string[]) => names.map(name => new FakeNode(name));
const inputs = (change: Value) => (r: Value) => Object.assign(r.Runbook.Properties.Content.mainSteps[0].inputs, change);
const ended = (exitCode: number, more = {}) => ({ exitCode, stdout: '', stderr: '', seconds: 0, ...more });

async function push(nodes: FakeNode[], change: (r: Value) => void = () => undefined) {
  const { deliveries: [delivery], timeline } = await deploy(nodes, change).putEvent(pushOf('v1'));
  const { status, command } = delivery.runbook!.steps[0];
  return { status, command: command!, statuses: command!.invocations.map(invocation => invocation.status), timeline };
}
/** Seconds from the start to that step of that node. */
const at = (timeline: Value[], node: string, what: string) =>
  timeline.find(step => step.what === what && step.text.startsWith(`${node} `))!.atMs / 1000;

test('a node that a step is not for skips it, which is a success', async () => {
  const nodes = fleet('gpu-1', 'gpu-2');
  Object.assign(nodes[0], { platform: 'Windows' });
  const { status, command } = await push(nodes);
  expect(status).toBe('Success');
  expect(command).toMatchObject({ status: 'Success', invocations: [{ status: 'Success', reason: expect.stringContaining('skipped') }, { status: 'Success' }] });
  expect(nodes.map(node => node.runs.length)).toEqual([0, 1]);
});

test('a command that some nodes could not be given, and one did, is a success', async () => {
  const nodes = fleet('gpu-1', 'gpu-2');
  Object.assign(nodes[0], { roleArn: 'arn:aws:iam::123456789012:role/bare' });
  const { status, command, statuses } = await push(nodes, r => {
    r.Bare = { Type: 'AWS::IAM::Role', Properties: { RoleName: 'bare', AssumeRolePolicyDocument: {} } };
  });
  expect(statuses).toEqual(['Undeliverable', 'Success']);
  expect(command.status).toBe('Success');
  expect(status).toBe('Success');
});

test('a node that never answers holds its place until the delivery times out, and no longer', async () => {
  const nodes = fleet('gpu-1', 'gpu-2', 'gpu-3', 'gpu-4');
  nodes[1].answers = false;
  const { status, command, statuses, timeline } = await push(nodes, inputs({ MaxConcurrency: '1', TimeoutSeconds: 60 }));
  expect(statuses).toEqual(['Success', 'DeliveryTimedOut', 'Success', 'Success']);
  expect(at(timeline, 'gpu-2', 'node-timed-out')).toBeGreaterThanOrEqual(60);
  expect(at(timeline, 'gpu-2', 'node-timed-out')).toBeLessThan(120);
  expect(at(timeline, 'gpu-3', 'node-started')).toBeGreaterThanOrEqual(60);
  expect(command).toMatchObject({ status: 'DeliveryTimedOut', invocations: [{}, { reason: expect.stringContaining('60 s (TimeoutSeconds)') }, {}, {}] });
  expect(status).toBe('Failed');
});

test('while a node does not answer, the others run in the places that are left', async () => {
  const nodes = fleet('gpu-1', 'gpu-2', 'gpu-3', 'gpu-4', 'gpu-5');
  nodes[1].answers = false;
  const { command, timeline } = await push(nodes, inputs({ MaxConcurrency: '2', MaxErrors: '100%' }));
  for (const other of ['gpu-3', 'gpu-4', 'gpu-5']) {
    expect(at(timeline, other, 'node-finished')).toBeLessThan(60);
  }
  // The default.
  expect(at(timeline, 'gpu-2', 'node-timed-out')).toBeGreaterThanOrEqual(3600);
  expect(command.status).toBe('Incomplete');
});

test('a delivery that timed out is no error that stops the dispatch', async () => {
  const nodes = fleet('gpu-1', 'gpu-2', 'gpu-3');
  nodes[0].answers = nodes[1].answers = false;
  expect((await push(nodes, inputs({ MaxErrors: '0' }))).statuses).toEqual(['DeliveryTimedOut', 'DeliveryTimedOut', 'Success']);
});

test('the dispatch stops at one error more than MaxErrors, the command has failed at MaxErrors', async () => {
  const failing = [1, 1, 0, 0].map((exitCode, index) => new FakeNode(`gpu-${index}`, 'gpu', exitCode));
  const one = await push(failing, inputs({ MaxConcurrency: '1', MaxErrors: '1' }));
  expect(one.statuses).toEqual(['Failed', 'Failed', 'Terminated', 'Terminated']);
  const two = await push(failing, inputs({ MaxConcurrency: '1', MaxErrors: '2' }));
  expect(two.statuses).toEqual(['Failed', 'Failed', 'Success', 'Success']);
  expect(two.command.status).toBe('Failed');
  expect(two.status).toBe('Failed');
});

test.each([['0', 'refused'], ['29', 'refused'], ['30', 'taken'], ['2592000', 'taken'], ['2592001', 'refused']])('delivery TimeoutSeconds %s is %s', async (TimeoutSeconds, fate) => {
  const { deliveries: [delivery] } = await deploy(fleet('gpu-1'), inputs({ TimeoutSeconds })).putEvent(pushOf('v1'));
  expect(delivery.status).toBe(fate === 'taken' ? 'Success' : 'Failed');
  if (fate === 'refused') {
    expect(delivery.runbook!.steps[0].reason).toContain('TimeoutSeconds (for delivery) must be 30 to 2592000');
  }
});

test('where CloudWatch Logs can\'t be reached, a command whose output goes there is held up for six minutes, and others are not', async () => {
  const nodes = fleet('gpu-1');
  nodes[0].reachesLogs = false;
  const controlPlane = deploy(nodes);
  const { timeline } = await controlPlane.putEvent(pushOf('v1'));
  expect(at(timeline, 'gpu-1', 'node-held-up')).toBeLessThan(60);
  expect(at(timeline, 'gpu-1', 'node-started')).toBeGreaterThanOrEqual(360);
  expect(controlPlane.logs.streams).toEqual([]);

  const without = await push(nodes, r => { delete r.Runbook.Properties.Content.mainSteps[0].inputs.CloudWatchOutputConfig; });
  expect(without.statuses).toEqual(['Success']);
  expect(at(without.timeline, 'gpu-1', 'node-started')).toBeLessThan(60);
});

test('exit code 194 reboots the node, and the script runs again', async () => {
  const [node] = fleet('gpu-1');
  const did: string[] = [];
  Object.assign(node, {
    run: async () => {
      did.push('run');
      return ended(did.length === 1 ? 194 : 0);
    },
    reboot: async () => { did.push('reboot'); },
  });
  const { statuses, timeline } = await push([node]);
  expect(did).toEqual(['run', 'reboot', 'run']);
  expect(statuses).toEqual(['Success']);
  expect(timeline.map(({ what }) => what)).toContain('node-rebooted');
});

test('a script that reboots its node again and again has failed', async () => {
  const [node] = fleet('gpu-1');
  Object.assign(node, { run: async () => ended(194), reboot: async () => undefined });
  expect((await push([node])).statuses).toEqual(['Failed']);
});

test('exit code 168 is a success, 137 counts as an error', async () => {
  const nodes = [168, 137, 0].map((exitCode, index) => new FakeNode(`gpu-${index}`, 'gpu', exitCode));
  const { statuses, command } = await push(nodes, inputs({ MaxConcurrency: '1' }));
  expect(statuses).toEqual(['Success', 'ExecutionTimedOut', 'Terminated']);
  expect(command.status).toBe('ExecutionTimedOut');
});

test('the log group gets all of an output, the command what Systems Manager keeps', async () => {
  const [node] = fleet('gpu-1');
  Object.assign(node, { run: async () => ended(0, { stdout: 'x'.repeat(30_000) }) });
  const controlPlane = deploy([node]);
  const { deliveries: [{ runbook }] } = await controlPlane.putEvent(pushOf('v1'));
  expect(runbook!.steps[0].command!.invocations[0].output!.stdout).toHaveLength(24_000);
  expect(controlPlane.logs.streams[0].text).toHaveLength(30_000);
});
