import { CfnParameter, Duration } from 'aws-cdk-lib';
import { Match } from 'aws-cdk-lib/assertions';
import * as ecr from 'aws-cdk-lib/aws-ecr';
import * as logs from 'aws-cdk-lib/aws-logs';
import * as sqs from 'aws-cdk-lib/aws-sqs';
import { flat, newCluster, newStack, settingsOf, prefetch, propertiesOf, warningsOf } from './fixture';
import { ImagePrefetcher, ImageSelection, NodeLimit, NodeSelection } from '../src';

describe('the Command document', () => {
  const content = propertiesOf(prefetch().template(), 'AWS::SSM::Document', 'PrefetcherDocument').Content;
  const script: string[] = content.mainSteps[0].inputs.runCommand.map(flat);

  test('hands every parameter over as an environment variable, within a pattern', () => {
    for (const [name, parameter] of Object.entries<any>(content.parameters)) {
      expect({ name, ...parameter }).toMatchObject({ type: 'String', interpolationType: 'ENV_VAR', allowedPattern: expect.stringMatching(/^\^.*\$$/) });
    }
  });

  test('leaves no character that means something to a shell in any parameter', () => {
    for (const [name, { allowedPattern }] of Object.entries<any>(content.parameters)) {
      for (const character of ['"', '$', '`', '\\', ';', '\n', "'", '(', '<', '>', '|', '!', '#', '~', '{', '}']) {
        for (const value of [character, `a${character}`, `1${character}`, `host/repo:tag${character}`]) {
          expect([name, value, new RegExp(allowedPattern).test(value)]).toEqual([name, value, false]);
        }
      }
    }
  });

  test('pastes a parameter only for agents that do not export it', () => {
    const pasted = script.filter(line => line.includes('{{'));
    expect(pasted.length).toBeGreaterThan(0);
    expect(pasted).toHaveLength(Object.keys(content.parameters).length);
    for (const line of pasted) {
      expect(line).toMatch(/^: \$\{SSM_(\w+)="\{\{ \1 \}\}"\}$/);
    }
    expect(script).toContain(`export ${Object.keys(content.parameters).map(name => `SSM_${name}`).join(' ')}`);
  });

  test('is a schema 2.2 document for Linux with a time limit', () => {
    expect(content.schemaVersion).toBe('2.2');
    expect(content.mainSteps[0]).toMatchObject({ action: 'aws:runShellScript', precondition: { StringEquals: ['platformType', 'Linux'] }, inputs: { timeoutSeconds: '3600' } });
  });

  test('moves its default version when it changes', () => {
    expect(propertiesOf(prefetch().template(), 'AWS::SSM::Document', 'PrefetcherDocument')).toMatchObject({ DocumentType: 'Command', UpdateMethod: 'NewVersion' });
  });
});

describe('a push', () => {
  const template = prefetch().template();

  test('starts an Automation runbook, every input a list', () => {
    const [target] = propertiesOf(template, 'AWS::Events::Rule').Targets;
    expect(flat(target.Arn)).toMatch(/:automation-definition\/\{PrefetcherRunbooksRunbook\w+\}:\$DEFAULT$/);
    expect(flat(target.InputTransformer.InputTemplate)).toMatch(
      /^\{"AutomationAssumeRole":\["\{\w+\.Arn\}"\],"Account":\[<account>\],"Region":\[<region>\],"Repository":\[<detail-repository-name>\],"Tag":\[<detail-image-tag>\],"PushedAt":\[<time>\]\}$/);
  });

  test('sends the event\'s own tag to nodes with cluster and node-group tag, at a set rate, and waits ten minutes for a node that does not answer', () => {
    const [step] = propertiesOf(template, 'AWS::SSM::Document', 'Runbook').Content.mainSteps;
    expect(step.action).toBe('aws:runCommand');
    expect(flat(step.inputs.Parameters.Pushed[0])).toBe('{{ Account }}.dkr.ecr.{{ Region }}.{AWS::URLSuffix}/{{ Repository }}:{{ Tag }}');
    expect(step.inputs).toMatchObject({
      MaxConcurrency: '500',
      MaxErrors: '100%',
      Targets: [
        { Key: 'tag:eks:cluster-name', Values: [{ Ref: expect.stringContaining('Cluster') }] },
        { Key: 'tag:eks:nodegroup-name', Values: [{ 'Fn::GetAtt': [expect.stringContaining('Gpu'), 'NodegroupName'] }] },
      ],
      TimeoutSeconds: 600,
    });
    expect(step.inputs.Parameters.PushedAt).toEqual(['{{ PushedAt }}']);
  });

  test('is matched for these repositories only, with a tag that is no referrer\'s', () => {
    template.hasResourceProperties('AWS::Events::Rule', {
      EventPattern: {
        source: ['aws.ecr'],
        account: ['123456789012'],
        region: ['us-east-1'],
        detail: Match.objectLike({
          'repository-name': [{ Ref: Match.stringLikeRegexp('Training') }],
          'image-tag': [{ 'anything-but': { wildcard: ['', 'sha256-*'] } }],
        }),
      },
    });
  });

  test('can be turned off; a pipeline can still start the runbook', () => {
    const { prefetcher, template: off } = prefetch({ prefetchOnPush: false });
    off().resourceCountIs('AWS::Events::Rule', 0);
    off().resourceCountIs('AWS::SQS::Queue', 0);
    expect(prefetcher.rules).toEqual([]);
    expect(prefetcher.deadLetterQueue).toBeUndefined();
    expect(prefetcher.runbookNames).toHaveLength(1);
    off().resourceCountIs('AWS::SSM::Association', 1);
  });

  test('that starts no runbook ends in an encrypted queue, which EventBridge alone may send to, for rules of this account', () => {
    const [target] = propertiesOf(template, 'AWS::Events::Rule').Targets;
    expect(target.DeadLetterConfig).toEqual({ Arn: { 'Fn::GetAtt': [expect.stringContaining('DeadLetterQueue'), 'Arn'] } });
    expect(propertiesOf(template, 'AWS::SQS::Queue')).toMatchObject({ SqsManagedSseEnabled: true, MessageRetentionPeriod: 1_209_600 });
    const [tlsOnly, send] = propertiesOf(template, 'AWS::SQS::QueuePolicy').PolicyDocument.Statement;
    expect(tlsOnly).toMatchObject({ Effect: 'Deny', Condition: { Bool: { 'aws:SecureTransport': 'false' } } });
    expect(send).toMatchObject({ Effect: 'Allow', Action: 'sqs:SendMessage', Principal: { Service: 'events.amazonaws.com' } });
    expect(flat(send.Condition.ArnLike['aws:SourceArn'])).toMatch(/:events:us-east-1:123456789012:rule\/\*$/);
  });

  test('ends in the queue that is given, L2 or L1', () => {
    const stack = newStack();
    const queue = new sqs.Queue(stack, 'Letters');
    const { prefetcher, template: given } = prefetch({ deadLetterQueue: queue }, stack);
    expect(prefetcher.deadLetterQueue).toBe(queue);
    given().resourceCountIs('AWS::SQS::Queue', 1);
    given().hasResourceProperties('AWS::SQS::QueuePolicy', { Queues: [{ Ref: Match.stringLikeRegexp('Letters') }] });
    const other = newStack();
    const l1 = prefetch({ deadLetterQueue: new sqs.CfnQueue(other, 'Letters') }, other).template();
    expect(propertiesOf(l1, 'AWS::Events::Rule').Targets[0].DeadLetterConfig).toEqual({ Arn: { 'Fn::GetAtt': ['Letters', 'Arn'] } });
  });
});

describe('the association', () => {
  test('brings nodes to the fixed images and the newest of each repository, in order of priority', () => {
    const stack = newStack();
    const repository = new ecr.Repository(stack, 'Training');
    const { template } = prefetch({ repositories: [repository], images: [ImageSelection.registry('public.ecr.aws/nginx/nginx:1.27'), ImageSelection.tag(repository, 'base')] }, stack);
    const association = propertiesOf(template(), 'AWS::SSM::Association');
    expect(association.Name).toEqual({ Ref: expect.stringContaining('PrefetcherDocument') });
    const host = '123456789012.dkr.ecr.us-east-1.{AWS::URLSuffix}';
    const name = `{${template().findResources('AWS::ECR::Repository') && Object.keys(template().findResources('AWS::ECR::Repository'))[0]}}`;
    expect(flat(settingsOf(template()).Images)).toBe(`public.ecr.aws/nginx/nginx:1.27 ${host}/${name}:base ${host}/${name}?newest=1`);
  });

  test('runs every 30 minutes and on new nodes, whatever the rate of a push is', () => {
    const association = propertiesOf(prefetch({ maxConcurrency: NodeLimit.nodes(1), maxErrors: NodeLimit.nodes(0) }).template(), 'AWS::SSM::Association');
    expect(association).toMatchObject({ ScheduleExpression: 'rate(30 minutes)', MaxConcurrency: '100%', MaxErrors: '100%' });
    expect(association).not.toHaveProperty('ApplyOnlyAtCronInterval');
    expect(association).not.toHaveProperty('WaitForSuccessTimeoutSeconds');
  });

  test('is dispatched by a role that may send this document to the selected nodes, and nothing else', () => {
    const template = prefetch().template();
    const association = propertiesOf(template, 'AWS::SSM::Association');
    expect(association.AssociationDispatchAssumeRole).toEqual({ 'Fn::GetAtt': [expect.stringContaining('DispatchRole'), 'Arn'] });
    const trust = propertiesOf(template, 'AWS::IAM::Role', 'DispatchRole').AssumeRolePolicyDocument.Statement;
    expect(trust).toEqual([{
      Action: 'sts:AssumeRole', Effect: 'Allow', Principal: { Service: 'ssm.amazonaws.com' }, Condition: { StringEquals: { 'aws:SourceAccount': { Ref: 'AWS::AccountId' } } },
    }]);
    const statements = propertiesOf(template, 'AWS::IAM::Policy', 'DispatchRole').PolicyDocument.Statement;
    expect(statements.map(({ Action }: any) => Action)).toEqual(['ssm:SendCommand', 'ssm:SendCommand']);
    expect(flat(statements[0].Resource)).toMatch(/:document\/\{PrefetcherDocument\w+\}$/);
    expect(Object.keys(statements[1].Condition.StringEquals)).toEqual(['ssm:resourceTag/eks:cluster-name', 'ssm:resourceTag/eks:nodegroup-name']);
  });

  test('can be turned off', () => {
    const { prefetcher, template } = prefetch({ reconcile: false });
    template().resourceCountIs('AWS::SSM::Association', 0);
    expect(prefetcher.associationIds).toEqual([]);
  });
});

test('controls reach document, runbook and association', () => {
  const template = prefetch({
    maxConcurrency: NodeLimit.nodes(20),
    maxErrors: NodeLimit.percent(10),
    reconcileEvery: Duration.hours(2),
    timeout: Duration.minutes(20),
    parallelPulls: 4,
    pinImages: false,
    maxDiskUsage: 60,
  }).template();
  expect(settingsOf(template)).toMatchObject({ ParallelPulls: '4', PinImages: 'false', MaxDiskUsage: '60', TimeoutSeconds: '1200' });
  expect(propertiesOf(template, 'AWS::SSM::Association')).toMatchObject({ ScheduleExpression: 'rate(120 minutes)' });
  expect(propertiesOf(template, 'AWS::SSM::Document', 'Runbook').Content.mainSteps[0].inputs).toMatchObject({ MaxConcurrency: '20', MaxErrors: '10%' });
  expect(propertiesOf(template, 'AWS::SSM::Document', 'PrefetcherDocument').Content.mainSteps[0].inputs.timeoutSeconds).toBe('1200');
});

test('controls that are known only at deployment reach the document', () => {
  const stack = newStack();
  const number = (id: string) => new CfnParameter(stack, id, { type: 'Number' }).valueAsNumber;
  const template = prefetch({
    maxConcurrency: NodeLimit.nodes(number('Nodes')), parallelPulls: number('Pulls'), maxDiskUsage: number('Disk'), timeout: Duration.seconds(number('Seconds')), reconcileEvery: Duration.minutes(number('Minutes')),
  }, stack).template();
  expect(settingsOf(template)).toMatchObject({ ParallelPulls: '{Pulls}', MaxDiskUsage: '{Disk}', TimeoutSeconds: '{Seconds}' });
  expect(flat(propertiesOf(template, 'AWS::SSM::Association').ScheduleExpression)).toBe('rate({Minutes} minutes)');
  expect(propertiesOf(template, 'AWS::SSM::Document', 'Runbook').Content.mainSteps[0].inputs.MaxConcurrency).toEqual({ Ref: 'Nodes' });
});

test('runs report to the log group that is given, L2 or L1', () => {
  const stack = newStack();
  const logGroup = new logs.LogGroup(stack, 'Reports', { retention: logs.RetentionDays.ONE_WEEK });
  const { prefetcher, template } = prefetch({ logGroup }, stack);
  expect(prefetcher.logGroup).toBe(logGroup);
  template().resourceCountIs('AWS::Logs::LogGroup', 1);
  expect(settingsOf(template()).LogGroup).toMatch(/^\{Reports\w+\}$/);
  const other = newStack();
  const l1 = prefetch({ logGroup: new logs.CfnLogGroup(other, 'Reports') }, other).template();
  l1.resourceCountIs('AWS::Logs::LogGroup', 1);
  expect(settingsOf(l1).LogGroup).toBe('{Reports}');
});

test('two prefetchers for two clusters in one stack share nothing and target different nodes', () => {
  const stack = newStack();
  const repository = new ecr.Repository(stack, 'Training');
  for (const name of ['A', 'B']) {
    const cluster = newCluster(stack, `Cluster${name}`);
    new ImagePrefetcher(stack, `Prefetcher${name}`, { cluster, nodes: [NodeSelection.nodegroups([cluster.addNodegroupCapacity('Gpu')])], repositories: [repository] });
  }
  const { template } = prefetch({ images: [ImageSelection.registry('nginx:1')] }, stack);
  const associations = ['PrefetcherA', 'PrefetcherB'].map(part => propertiesOf(template(), 'AWS::SSM::Association', part));
  const clusters = associations.map(association => flat(association.Targets[0].Values[0]));
  expect(clusters[0]).toContain('ClusterA');
  expect(clusters[1]).toContain('ClusterB');
  expect(settingsOf(template(), 'PrefetcherA').Owner).not.toEqual(settingsOf(template(), 'PrefetcherB').Owner);
  expect(associations[0].Name).not.toEqual(associations[1].Name);
});

describe('what AWS limits for all prefetchers together', () => {
  test('counts the managed policies on a role that several prefetchers share', () => {
    const stack = newStack();
    const cluster = newCluster(stack);
    const nodegroups = [cluster.addNodegroupCapacity('Gpu')];
    for (let index = 0; index < 8; index++) {
      new ImagePrefetcher(stack, `Prefetcher${index}`, { cluster, nodegroups, repositories: [ecr.Repository.fromRepositoryName(stack, `Repository${index}`, `app-${index}`)] });
      expect(warningsOf(stack).filter(warning => warning.startsWith('manyNodePolicies')).length).toBe(index < 6 ? 0 : index - 5);
    }
    expect(warningsOf(stack)[0]).toContain('has 11 managed policies with \'Stack/Prefetcher6\', 7 of them made in this app');
  });

  test('counts the rules with wildcards that several prefetchers have on one bus', () => {
    const stack = newStack();
    const cluster = newCluster(stack);
    const nodegroups = [cluster.addNodegroupCapacity('Gpu')];
    const prefetcher = (id: string, filters: number) => new ImagePrefetcher(stack, id, {
      cluster,
      nodegroups,
      images: [...Array(filters).keys()].map(index => ImageSelection.repository(
        ecr.Repository.fromRepositoryName(stack, `${id} ${index}`, `app-${index}`), { tags: { include: [`v*-${index}`] } })),
    });
    prefetcher('A', 20);
    prefetcher('B', 10);
    expect(() => prefetcher('C', 1)).toThrow('an event bus takes 30 rules with wildcards, and with \'Stack/C\' this app has 31');
  });
});

test('300 repositories and 60 node groups become valid resources', () => {
  const stack = newStack();
  const { template } = prefetch({
    nodes: [NodeSelection.nodegroupNames(Array.from({ length: 60 }, (_, i) => `nodegroup-${i}`), {
      nodeRole: newCluster(stack, 'Other').addNodegroupCapacity('Seen').role,
    })],
    repositories: Array.from({ length: 300 }, (_, i) => ecr.Repository.fromRepositoryName(stack, `Repository${i}`, `team-${i % 7}/service-with-a-long-name-${i}`)),
  }, stack);
  const rules = Object.values<any>(template().findResources('AWS::Events::Rule'));
  expect(rules.flatMap(rule => rule.Properties.EventPattern.detail['repository-name'])).toHaveLength(300);
  for (const { Properties } of rules) {
    expect(JSON.stringify(Properties.EventPattern).length).toBeLessThanOrEqual(2048);
    expect(Properties.Targets).toHaveLength(2);
  }
  const associations = Object.values<any>(template().findResources('AWS::SSM::Association'));
  expect(associations.map(({ Properties }) => Properties.Targets[1].Values.length)).toEqual([50, 10]);
  const policies = Object.values<any>(template().findResources('AWS::IAM::ManagedPolicy'));
  expect(policies.length).toBeLessThanOrEqual(6);
  const pulled = policies.flatMap(({ Properties }) => Properties.PolicyDocument.Statement)
    .filter(statement => JSON.stringify(statement).includes('ecr:BatchGetImage')).flatMap(statement => statement.Resource);
  expect(new Set(pulled.map(flat)).size).toBe(300);
});

test('what it is made of can be read', () => {
  const { stack, prefetcher } = prefetch();
  const { documentName, runbookNames, rules, automationRole, eventsRole, dispatchRole, associationIds, deadLetterQueue } = prefetcher;
  expect(stack.resolve([documentName, ...runbookNames, ...associationIds].map(name => stack.resolve(name)))).toEqual([
    { Ref: expect.stringContaining('PrefetcherDocument') }, { Ref: expect.stringContaining('Runbook') }, { 'Fn::GetAtt': [expect.stringContaining('Association'), 'AssociationId'] },
  ]);
  expect(rules).toHaveLength(1);
  expect([automationRole, eventsRole, dispatchRole].map(role => role?.node.path)).toEqual([
    'Stack/Prefetcher/Runbooks/Role', 'Stack/Prefetcher/Push/Role', 'Stack/Prefetcher/Reconcile/DispatchRole',
  ]);
  expect(deadLetterQueue?.node.path).toBe('Stack/Prefetcher/Push/DeadLetterQueue');
});

test('the template is the same at every synth', () => {
  expect(prefetch().template().toJSON()).toEqual(prefetch().template().toJSON());
});
