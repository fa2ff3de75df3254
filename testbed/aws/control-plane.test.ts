import type { Value } from './value';
import { deploy, FakeNode, pushOf } from '../../test/sample-template';

const stepOf = (delivery: Value) => delivery.runbook.steps[0];

test('a push runs the document with its own tag on the nodes that carry both tags, and nowhere else', async () => {
  const fleet = [new FakeNode('gpu-1'), new FakeNode('gpu-2'), new FakeNode('web-1', 'web'), new FakeNode('other', 'gpu', 0, 'other-cluster')];
  const controlPlane = deploy(fleet);
  const seen: string[] = [];
  const { deliveries: [delivery] } = await controlPlane.putEvent(pushOf('v7'), { onProgress: step => seen.push(step.what) });

  expect(delivery.status).toBe('Success');
  expect(fleet.map(node => node.runs.length)).toEqual([1, 1, 0, 0]);
  expect(fleet[0].runs[0].env).toMatchObject({ SSM_Pushed: '123456789012.dkr.ecr.us-east-1.amazonaws.com/team/app:v7', SSM_Images: 'registry/team/app?newest=1' });
  expect(fleet[0].runs[0].script).toContain('export SSM_Images="registry/team/app?newest=1"');
  expect(fleet[0].runs[0].timeoutSeconds).toBe(600);
  expect(controlPlane.logs.text(controlPlane.template.ref('LogGroup'))).toBe('report of gpu-1\nreport of gpu-2');
  expect(seen).toEqual([
    'rule-matched', 'runbook-started', 'command-sent', 'node-started', 'node-finished', 'invocation-ended', 'node-started', 'node-finished', 'invocation-ended',
    'runbook-finished',
  ]);
});

test('a push to another repository or on another bus does nothing', async () => {
  const fleet = [new FakeNode('gpu-1')];
  expect((await deploy(fleet).putEvent(pushOf('v1', 'team/other'))).deliveries).toEqual([]);
  expect((await deploy(fleet).putEvent(pushOf('v1'), { bus: 'custom' })).deliveries).toEqual([]);
  expect((await deploy(fleet, r => { r.Rule.Properties.State = 'DISABLED'; }).putEvent(pushOf('v1'))).deliveries).toEqual([]);
  expect(fleet[0].runs).toEqual([]);
});

test.each([
  ['a tag with shell characters', pushOf('v1;reboot'), 'parameter Tag: must match'],
  ['a tag that breaks out of the JSON', pushOf('"],"Tag":["x'), 'parameter Tag: must match'],
  ['an event without a tag', pushOf(undefined), 'parameter Tag takes up to 50 strings of 1 to 512 characters, got [""]'],
])('%s is refused by the runbook and goes to the dead-letter queue', async (_, event, message) => {
  const node = new FakeNode('gpu-1');
  const { deliveries: [delivery], timeline } = await deploy([node]).putEvent(event);
  expect(delivery).toMatchObject({ status: 'Failed', reason: expect.stringContaining(message) });
  expect(timeline.at(-1)).toMatchObject({ what: 'delivery-refused', details: { deadLetterArn: expect.stringMatching(/^arn:aws:sqs:us-east-1:123456789012:Demo-DeadLetters-/) } });
  expect(node.runs).toEqual([]);
});

test.each<[string, (resources: Value) => void, string]>([
  ['starting the runbook', r => { r.EventsRole.Properties.Policies[0].PolicyDocument.Statement[0].Resource.pop(); }, 'is not allowed ssm:StartAutomationExecution on arn:aws:ssm:us-east-1:123456789012:automation-execution/'],
  ['passing the role', r => { r.EventsRole.Properties.Policies[0].PolicyDocument.Statement.pop(); }, 'is not allowed iam:PassRole on arn:aws:iam::123456789012:role/Demo-AutomationRole-'],
  ['EventBridge to assume its role', r => { r.EventsRole.Properties.AssumeRolePolicyDocument.Statement[0].Condition.StringEquals = { 'aws:SourceAccount': '999999999999' }; }, 'does not trust events.amazonaws.com'],
  ['Automation to assume its role', r => { r.AutomationRole.Properties.AssumeRolePolicyDocument.Statement[0].Principal.Service = 'ec2.amazonaws.com'; }, 'does not trust ssm.amazonaws.com'],
])('without permission for %s nothing runs', async (_, change, message) => {
  const node = new FakeNode('gpu-1');
  const { deliveries: [delivery] } = await deploy([node], change).putEvent(pushOf('v1'));
  expect(delivery).toMatchObject({ status: 'Failed', reason: expect.stringContaining(message) });
  expect(node.runs).toEqual([]);
});

test('without permission on the document the step fails', async () => {
  const { deliveries: [delivery] } = await deploy([new FakeNode('gpu-1')], r => { r.AutomationRole.Properties.Policies[0].PolicyDocument.Statement.shift(); }).putEvent(pushOf('v1'));
  expect(delivery.status).toBe('Failed');
  expect(stepOf(delivery).reason).toContain('is not allowed ssm:SendCommand on arn:aws:ssm:us-east-1:123456789012:document/Demo-Document-');
});

test('a node the role may not reach is denied, and the others still run', async () => {
  const fleet = [new FakeNode('gpu-1'), new FakeNode('gpu-2')];
  fleet[0].tags.team = 'secret';
  const { deliveries: [delivery] } = await deploy(fleet, r => {
    r.AutomationRole.Properties.Policies[0].PolicyDocument.Statement.push({ Effect: 'Deny', Action: 'ssm:SendCommand', Resource: '*', Condition: { StringEquals: { 'ssm:resourceTag/team': 'secret' } } });
  }).putEvent(pushOf('v1'));
  expect(stepOf(delivery).command.invocations.map((invocation: Value) => invocation.status)).toEqual(['AccessDenied', 'Success']);
  expect(stepOf(delivery).command.status).toBe('Success');
});

test('a failing node stops the roll-out at MaxErrors 0', async () => {
  const fleet = [new FakeNode('gpu-1', 'gpu', 1), new FakeNode('gpu-2')];
  const { deliveries: [delivery] } = await deploy(fleet).putEvent(pushOf('v1'));
  expect(delivery.status).toBe('Failed');
  expect(stepOf(delivery).command.invocations).toMatchObject([{ status: 'Failed', reason: 'exit code 1' }, { status: 'Terminated' }]);
  expect(fleet[1].runs).toEqual([]);
});

test('a step that ran too long counts as an error', async () => {
  const fleet = [new FakeNode('gpu-1'), new FakeNode('gpu-2')];
  fleet[0].run = async () => ({ exitCode: 137, stdout: '', stderr: '', seconds: 600, timedOut: true });
  const { deliveries: [delivery] } = await deploy(fleet).putEvent(pushOf('v1'));
  expect(stepOf(delivery).command.invocations).toMatchObject([{ status: 'ExecutionTimedOut', reason: 'ended after 600 s' }, { status: 'Terminated' }]);
});

test('a later step runs after a failed one only with onFailure Continue, and the runbook has failed all the same', async () => {
  const twice = (onFailure?: string) => (r: Value) => {
    const [step] = r.Runbook.Properties.Content.mainSteps;
    r.Runbook.Properties.Content.mainSteps = [{ ...step, isEnd: false, onFailure }, { ...step, name: 'again' }];
  };
  for (const [onFailure, runs] of [[undefined, 1], ['Abort', 1], ['Continue', 2]] as const) {
    const node = new FakeNode('gpu-1', 'gpu', 1);
    expect((await deploy([node], twice(onFailure)).putEvent(pushOf('v1'))).deliveries[0].status).toBe('Failed');
    expect(node.runs).toHaveLength(runs);
  }
});

test('without a node the command ends at once', async () => {
  const { deliveries: [delivery] } = await deploy([]).putEvent(pushOf('v1'));
  expect(stepOf(delivery)).toMatchObject({ status: 'Success', command: { status: 'NoInstancesInTag', invocations: [] } });
});

test('a node whose role lacks the SSM core policy cannot be reached', async () => {
  const node = new FakeNode('gpu-1');
  const { deliveries: [delivery] } = await deploy([node], r => { r.NodeRole.Properties.ManagedPolicyArns = []; }).putEvent(pushOf('v1'));
  expect(stepOf(delivery).command.invocations[0]).toMatchObject({ status: 'Undeliverable', reason: expect.stringContaining('ssmmessages:OpenControlChannel') });
  expect(node.runs).toEqual([]);
});

test('output is silently lost when the node may neither create nor look for the log group', async () => {
  const controlPlane = deploy([new FakeNode('gpu-1')], r => { r.NodePolicy.Properties.PolicyDocument.Statement.pop(); });
  expect((await controlPlane.putEvent(pushOf('v1'))).deliveries[0].status).toBe('Success');
  expect(controlPlane.logs.streams).toEqual([]);
  expect(controlPlane.logs.refused[0]).toContain('is not allowed logs:CreateLogGroup');
});

test('an old agent gets the values as text only', async () => {
  const node = new FakeNode('gpu-1', 'gpu', 0, 'training', 'old');
  await deploy([node]).putEvent(pushOf('v1'));
  expect(node.runs[0].env).not.toHaveProperty('SSM_Images');
  expect(node.runs[0].script).toContain('export SSM_Images="registry/team/app?newest=1"');
});

test('a node that breaks is a failed node', async () => {
  const node = new FakeNode('gpu-1');
  node.run = async () => { throw new Error('gone'); };
  const { deliveries: [delivery] } = await deploy([node]).putEvent(pushOf('v1'));
  expect(stepOf(delivery).command.invocations[0]).toMatchObject({ status: 'Failed', output: { stderr: expect.stringContaining('gone') } });
});

test('reconcile runs the association on all its nodes, a new node on its own', async () => {
  const fleet = [new FakeNode('gpu-1'), new FakeNode('web-1', 'web')];
  const controlPlane = deploy(fleet);
  const { associations } = await controlPlane.reconcile();
  expect(associations).toMatchObject([{ association: 'Association', status: 'Success', invocations: [{ node: 'gpu-1' }] }]);
  expect(fleet[0].runs[0].env).toMatchObject({ SSM_Pushed: '' });

  const late = new FakeNode('gpu-2');
  fleet.push(late);
  expect((await controlPlane.nodeOnline(late)).associations).toHaveLength(1);
  expect((await controlPlane.nodeOnline(fleet[1])).associations).toEqual([]);
  expect(fleet.map(node => node.runs.length)).toEqual([1, 0, 1]);
});

test('ApplyOnlyAtCronInterval keeps new nodes waiting', async () => {
  const node = new FakeNode('gpu-1');
  await deploy([node], r => { r.Association.Properties.ApplyOnlyAtCronInterval = true; }).nodeOnline(node);
  expect(node.runs).toEqual([]);
});

test('associations never overlap on a node', async () => {
  const node = new FakeNode('gpu-1');
  let running = 0;
  let most = 0;
  node.run = async () => {
    most = Math.max(most, ++running);
    await new Promise(resolve => setTimeout(resolve, 5));
    running--;
    return { exitCode: 0, stdout: '', stderr: '', seconds: 0 };
  };
  const controlPlane = deploy([node]);
  await Promise.all([controlPlane.reconcile(), controlPlane.nodeOnline(node)]);
  expect(most).toBe(1);
});

test('explain says what each node would run, and runs nothing', async () => {
  const node = new FakeNode('gpu-1');
  const controlPlane = deploy([node]);
  const { commands, deliveries } = await controlPlane.explain(pushOf('v7'));
  expect(commands).toMatchObject([{ node: 'gpu-1', timeoutSeconds: 600, env: { SSM_Pushed: expect.stringMatching(/:v7$/) } }]);
  expect(deliveries[0].status).toBe('Success');
  expect((await controlPlane.explainReconcile()).commands).toHaveLength(1);
  expect(node.runs).toEqual([]);
  expect(controlPlane.logs.streams).toEqual([]);
});

test.each<[string, (resources: Value) => void, string]>([
  ['a rate under 30 minutes', r => { r.Association.Properties.ScheduleExpression = 'rate(29 minutes)'; }, 'Association: a rate must be 30 minutes or more, got "rate(29 minutes)"'],
  ['51 values of a target', r => { r.Association.Properties.Targets[0].Values = Array(51).fill('x'); }, 'Association: target tag:eks:cluster-name takes 1 to 50 values'],
  ['six targets', r => { r.Association.Properties.Targets = Array(6).fill({ Key: 'tag:a', Values: ['b'] }); }, 'Association: takes 1 to 5 targets'],
  ['parameters the document does not have', r => { r.Association.Properties.Parameters.Odd = ['x']; }, 'unknown parameter'],
  ['parameters outside the pattern', r => { r.Association.Properties.Parameters.Images = ['$(reboot)']; }, 'parameter Images: must match'],
  ['an unknown document', r => { r.Association.Properties.Name = 'Nobody'; }, 'Association: InvalidDocument: no such Command document, got "Nobody"'],
  ['two kinds of input', r => { r.Rule.Properties.Targets[0].Input = '{}'; }, 'Rule.Runbook: only one of Input, InputPath and InputTransformer may be given'],
  ['six targets of a rule', r => { r.Rule.Properties.Targets = Array(6).fill(r.Rule.Properties.Targets[0]); }, 'Rule: a rule has at most 5 targets, got 6'],
  ['a runbook of another schema', r => { r.Runbook.Properties.Content.schemaVersion = '2.2'; }, 'Runbook: schemaVersion for Automation documents must be 0.3, got "2.2"'],
])('refuses to deploy %s', (_, change, message) => {
  expect(() => deploy([], change)).toThrow(message);
});
