import type { App } from 'aws-cdk-lib';
import { Duration } from 'aws-cdk-lib';
import type { Template as Synthesised } from 'aws-cdk-lib/assertions';
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as logs from 'aws-cdk-lib/aws-logs';
import * as sns from 'aws-cdk-lib/aws-sns';
import { ACCOUNT, flat, newStack, prefetch, propertiesOf, REGION } from './fixture';
import type { ReportMetricName } from '../src/report-metrics';
import { REPORT_METRICS } from '../src/report-metrics';
import type { ReportQueryName } from '../src/report-queries';
import { renderQuery, REPORT_QUERIES } from '../src/report-queries';
import { Iam } from '../testbed/aws/iam';
import { runQuery } from '../testbed/aws/logs-insights';
import type { LoggedLine } from '../testbed/aws/metric-filters';
import { publishedMetrics } from '../testbed/aws/metric-filters';
import { Template } from '../testbed/aws/template';

const NAMES = Object.keys(REPORT_METRICS) as ReportMetricName[];

/** Lines as two nodes report them, and some of another prefetcher with the same log group. */
function reported(owner: string): LoggedLine[] {
  const image = (moment: string, line: object) => ({ moment, owner, image: 'host/app:v1', digest: 'sha256:1', ...line });
  const summary = (line: object) => ({ summary: { owner, instance: 'i-1', moment: 'reconcile', wanted: 1, seconds: 2.5, ...line } });
  const lines = [
    ['i-1', image('push', { outcome: 'pulled', bytes: 1000, seconds: 2, pushToCachedSeconds: 12.5 })],
    ['i-1', summary({ moment: 'push' })],
    ['i-2', image('gate', { outcome: 'pulled', bytes: 500, seconds: 1 })],
    ['i-2', summary({ moment: 'gate', seconds: 31 })],
    ['i-2', image('reconcile', { image: 'host/app:v2', outcome: 'failed', reason: 'no route to host' })],
    ['i-2', image('reconcile', { image: 'host/app:v3', outcome: 'refused', reason: 'no room' })],
    ['i-2', image('reconcile', { outcome: 'present' })],
    ['i-2', summary({ error: 'the kubelet does not run' })],
    ['i-3', summary({ moment: 'gate', seconds: 297, timedOut: true })],
    ['i-4', summary({ moment: 'gate', outcome: 'interrupted', error: 'interrupted' })],
    ['i-9', { ...image('push', { outcome: 'failed' }), owner: 'another' }],
    ['i-9', { summary: { owner: 'another', moment: 'gate', seconds: 9, timedOut: true } }],
  ] as const;
  return lines.map(([stream, line], index) => ({ timestamp: 1000 * index, stream, line }));
}

describe('metrics', () => {
  const { stack, prefetcher, template } = prefetch();
  const deployed = new Template(template().toJSON(), { account: ACCOUNT, region: REGION, stackName: 'Stack' });
  const group = deployed.ref(deployed.resources('AWS::Logs::LogGroup')[0].logicalId);
  const points = publishedMetrics(deployed, group, reported(prefetcher.owner));

  test.each<[ReportMetricName, number[]]>([
    ['Pulls', [1, 1]],
    ['PulledBytes', [1000, 500]],
    ['PullSeconds', [2, 1]],
    ['PushToCachedSeconds', [12.5]],
    ['Failures', [1, 1, 1]],
    ['Refusals', [1]],
    ['GateWaitSeconds', [31, 297, 2.5]],
    ['GateTimeouts', [1, 1]],
    ['Reports', [1, 1, 1, 1, 1]],
  ])('%s are published from the lines of reports, of this prefetcher alone', (name, values) => {
    expect(points.filter(point => point.name === name).map(({ value }) => value)).toEqual(values);
  });

  test('have a method each, which reads exactly what the filters publish', () => {
    for (const name of NAMES) {
      const method = prefetcher[`metric${name}`].bind(prefetcher);
      for (const metric of [method(), prefetcher.metric(name)].map(each => stack.resolve(each.toMetricConfig().metricStat))) {
        const published = points.find(point => point.name === metric.metricName)!;
        expect({ namespace: metric.namespace, dimensions: Object.fromEntries(metric.dimensions.map(({ name: key, value }: any) => [key, value])) })
          .toEqual({ namespace: published.namespace, dimensions: published.dimensions });
        expect(metric.metricName).toBe(name);
      }
      expect(method({ period: Duration.hours(1), statistic: 'p90' })).toMatchObject({ statistic: 'p90', period: Duration.hours(1) });
    }
  });

  test('have no dimension for each node', () => {
    for (const { properties } of deployed.resources('AWS::Logs::MetricFilter')) {
      expect(properties.MetricTransformations[0].Dimensions).toEqual([{ Key: 'Prefetcher', Value: expect.stringMatching(/^\$\.(summary\.)?owner$/) }]);
    }
  });

  test('of another name are refused, with the names that there are', () => {
    expect(() => prefetcher.metric('Pulled')).toThrow('a metric of an ImagePrefetcher must be one of Pulls, PulledBytes, PullSeconds, PushToCachedSeconds, Failures, Refusals, GateWaitSeconds, GateTimeouts, Reports, got \'Pulled\'');
  });
});

describe('alarms', () => {
  const alarmsOf = (template: Synthesised) => Object.values<any>(template.findResources('AWS::CloudWatch::Alarm')).map(({ Properties }) => Properties);

  test('tell of failures, refusals, gate time-outs, lost pushes and missing reports', () => {
    const { prefetcher, template } = prefetch();
    expect(prefetcher.addAlarms()).toHaveLength(5);
    const alarms = alarmsOf(template());
    expect(alarms.map(({ MetricName, Period, EvaluationPeriods, Statistic, Threshold, ComparisonOperator, TreatMissingData }) =>
      [MetricName, Period, EvaluationPeriods, Statistic, ComparisonOperator, Threshold, TreatMissingData])).toEqual([
      ['Failures', 300, 1, 'Sum', 'GreaterThanOrEqualToThreshold', 1, 'notBreaching'],
      ['Refusals', 300, 1, 'Sum', 'GreaterThanOrEqualToThreshold', 1, 'notBreaching'],
      ['GateTimeouts', 300, 1, 'Sum', 'GreaterThanOrEqualToThreshold', 1, 'notBreaching'],
      ['ApproximateNumberOfMessagesVisible', 300, 1, 'Maximum', 'GreaterThanOrEqualToThreshold', 1, 'notBreaching'],
      ['Reports', 1800, 2, 'Sum', 'LessThanThreshold', 1, 'breaching'],
    ]);
    for (const { AlarmDescription, AlarmActions } of alarms) {
      expect(AlarmDescription.length).toBeLessThanOrEqual(1024);
      expect(AlarmActions).toBeUndefined();
    }
  });

  test('name saved queries that there are', () => {
    const { prefetcher, template } = prefetch();
    prefetcher.addAlarms();
    const saved = Object.values<any>(template().findResources('AWS::Logs::QueryDefinition')).map(({ Properties }) => Properties.Name);
    const named = alarmsOf(template()).flatMap(({ AlarmDescription }) => /saved query (\S+)$/.exec(AlarmDescription)?.[1] ?? []);
    expect(named).toHaveLength(3);
    expect(saved).toEqual(expect.arrayContaining(named));
  });

  test('tell the topic when they go off and when they are over', () => {
    const stack = newStack();
    const { prefetcher, template } = prefetch({}, stack);
    prefetcher.addAlarms({ topic: new sns.Topic(stack, 'Topic') });
    for (const { AlarmActions, OKActions } of alarmsOf(template())) {
      expect(AlarmActions).toEqual([{ Ref: expect.stringContaining('Topic') }]);
      expect(OKActions).toEqual(AlarmActions);
    }
  });

  test('expect as many reports as nodes are expected', () => {
    const { prefetcher, template } = prefetch({ reconcileEvery: Duration.hours(6) });
    prefetcher.addAlarms({ minNodes: 20 });
    expect(alarmsOf(template()).find(({ MetricName }) => MetricName === 'Reports')).toMatchObject({ Threshold: 20, Period: 21_600, EvaluationPeriods: 2 });
  });

  test.each([
    ['without pushes', { prefetchOnPush: false }, {}, ['Failures', 'Refusals', 'GateTimeouts', 'Reports']],
    ['without reconciles', { reconcile: false }, {}, ['Failures', 'Refusals', 'GateTimeouts', 'ApproximateNumberOfMessagesVisible']],
    ['with reconciles that are rare', { reconcileEvery: Duration.hours(13) }, {}, ['Failures', 'Refusals', 'GateTimeouts', 'ApproximateNumberOfMessagesVisible']],
    ['where no node need be', {}, { minNodes: 0 }, ['Failures', 'Refusals', 'GateTimeouts', 'ApproximateNumberOfMessagesVisible']],
  ])('leave out what cannot be told %s', (_, props, options, names) => {
    const { prefetcher, template } = prefetch(props);
    prefetcher.addAlarms(options);
    expect(alarmsOf(template()).map(({ MetricName }) => MetricName)).toEqual(names);
  });
});

test('the dashboard shows metrics that are published, and tables of this prefetcher\'s reports', () => {
  const { prefetcher, template } = prefetch();
  const dashboard = prefetcher.addDashboard({ dashboardName: 'Images' });
  expect(dashboard).toBeInstanceOf(cloudwatch.Dashboard);
  const { DashboardBody, DashboardName } = propertiesOf(template(), 'AWS::CloudWatch::Dashboard');
  expect(DashboardName).toBe('Images');
  const { widgets } = JSON.parse(flat(DashboardBody).replace(/"\{/g, '"').replace(/\}"/g, '"'));
  const metrics: string[] = [];
  for (const { properties } of widgets.filter(({ type }: any) => type === 'metric')) {
    let last: any[] = [];
    for (const row of properties.metrics) {
      last = row.map((part: any, index: number) => part === '.' ? last[index] : part);
      expect(last.slice(0, 1).concat(last.slice(2, 4))).toEqual(['EksImagePrefetcher', 'Prefetcher', prefetcher.owner]);
      metrics.push(last[1]);
    }
  }
  expect([...new Set(metrics)].sort()).toEqual([...NAMES].sort());
  const tables = widgets.filter(({ type }: any) => type === 'log');
  expect(tables).toHaveLength(3);
  for (const { properties } of tables) {
    expect(properties.query).toContain(`owner = "${prefetcher.owner}"`);
  }
});

describe('saved queries', () => {
  const ask = (name: ReportQueryName) => runQuery(renderQuery(name, 'mine'), reported('mine'));

  test('are in the template, for the log group', () => {
    const { prefetcher, template } = prefetch();
    const saved = Object.values<any>(template().findResources('AWS::Logs::QueryDefinition')).map(({ Properties }) => Properties);
    expect(saved.map(({ Name }) => Name).sort()).toEqual(Object.keys(REPORT_QUERIES).map(name => `cdk-eks-image-prefetcher/${prefetcher.owner}/${name}`).sort());
    for (const { LogGroupNames } of saved) {
      expect(LogGroupNames).toEqual([{ Ref: expect.stringContaining('LogGroup') }]);
    }
  });

  test('say which node has which image', () => {
    expect(ask('which-node-has-which-image')).toEqual([
      { '@logStream': 'i-1', 'image': 'host/app:v1', 'state': 'pulled', 'imageDigest': 'sha256:1', 'since': 0 },
      { '@logStream': 'i-2', 'image': 'host/app:v1', 'state': 'present', 'imageDigest': 'sha256:1', 'since': 6000 },
    ]);
  });

  test('say which pulls were slowest', () => {
    expect(ask('slowest-pulls').map(row => [row['@logStream'], row.seconds, row.megabytesPerSecond])).toEqual([['i-1', 2, 0.0005], ['i-2', 1, 0.0005]]);
  });

  test('say why images failed', () => {
    expect(ask('failures-by-reason').map(({ why, times, nodes }) => [why, times, nodes]).sort()).toEqual([
      ['interrupted', 1, 1], ['no room', 1, 1], ['no route to host', 1, 1], ['the kubelet does not run', 1, 1],
    ]);
  });

  test('say what a push did, node by node', () => {
    expect(ask('what-a-push-did')).toEqual([{ '@timestamp': 0, '@logStream': 'i-1', 'image': 'host/app:v1', 'outcome': 'pulled', 'seconds': 2, 'pushToCachedSeconds': 12.5 }]);
  });

  test('say what each boot gate waited for', () => {
    expect(ask('what-boot-gates-waited-for').map(row => [row['@logStream'], row.image, row.waited, row['summary.timedOut'], row.why])).toEqual([
      ['i-2', 'host/app:v1', 1, undefined, undefined], ['i-2', undefined, 31, undefined, undefined], ['i-3', undefined, 297, true, undefined], ['i-4', undefined, 2.5, undefined, 'interrupted'],
    ]);
  });
});

describe('rules on runs', () => {
  test('that ended badly match the events of Run Command and of State Manager', () => {
    const { prefetcher, template } = prefetch({ prefetchOnPush: false });
    prefetcher.onRunFailed('Failed', { target: { bind: () => ({ arn: 'arn:aws:sns:us-east-1:123456789012:topic' }) }, description: 'for the test' });
    expect(propertiesOf(template(), 'AWS::Events::Rule')).toMatchObject({
      Description: 'for the test',
      EventPattern: {
        'source': ['aws.ssm'],
        'detail-type': ['EC2 Command Invocation Status-change Notification', 'EC2 State Manager Instance Association State Change'],
        'detail': { 'document-name': [{ Ref: expect.stringContaining('PrefetcherDocument') }], 'status': ['Failed', 'TimedOut'] },
      },
      Targets: [{ Arn: 'arn:aws:sns:us-east-1:123456789012:topic' }],
    });
  });

  test('that finished match the events of the runbooks', () => {
    const { prefetcher, template } = prefetch({ prefetchOnPush: false });
    prefetcher.onPushFinished('Finished', { eventPattern: { account: [ACCOUNT] } });
    expect(propertiesOf(template(), 'AWS::Events::Rule').EventPattern).toEqual({
      'source': ['aws.ssm'],
      'account': [ACCOUNT],
      'detail-type': ['EC2 Automation Execution Status-change Notification'],
      'detail': { Definition: [{ Ref: expect.stringContaining('PrefetcherRunbooksRunbook') }], Status: ['Success', 'Failed', 'TimedOut', 'Cancelled'] },
    });
  });
});

test('a pipeline that is granted the start can start these runbooks, pass their role and read how far they are, and nothing else', () => {
  const stack = newStack();
  const { prefetcher, template } = prefetch({}, stack);
  const pipeline = new iam.Role(stack, 'Pipeline', { assumedBy: new iam.AccountRootPrincipal() });
  prefetcher.grants.start(pipeline).assertSuccess();
  const deployed = new Template(template().toJSON(), { account: ACCOUNT, region: REGION, stackName: 'Stack' });
  const role = (part: string) => deployed.attribute(deployed.resources('AWS::IAM::Role').find(({ logicalId }) => logicalId.startsWith(part))!.logicalId, 'Arn');
  const runbook = deployed.ref(deployed.resources('AWS::SSM::Document').find(({ logicalId }) => logicalId.includes('Runbook'))!.logicalId);
  const arn = (resource: string) => `arn:aws:ssm:${REGION}:${ACCOUNT}:${resource}`;
  const permissions = new Iam(deployed);
  const allowed = (action: string, resource: string, context = {}) => permissions.allowed(role('Pipeline'), action, resource, context).allowed;
  for (const resource of [`automation-definition/${runbook}:$DEFAULT`, `document/${runbook}`, 'automation-execution/1']) {
    expect(allowed('ssm:StartAutomationExecution', arn(resource))).toBe(true);
  }
  expect(allowed('ssm:StartAutomationExecution', arn('document/another'))).toBe(false);
  expect(allowed('iam:PassRole', role('PrefetcherRunbooksRole'), { 'iam:PassedToService': 'ssm.amazonaws.com' })).toBe(true);
  expect(allowed('iam:PassRole', role('PrefetcherRunbooksRole'), { 'iam:PassedToService': 'ec2.amazonaws.com' })).toBe(false);
  expect(allowed('ssm:GetAutomationExecution', arn('automation-execution/1'))).toBe(true);
  expect(allowed('ssm:ListCommands', '*')).toBe(true);
  expect(allowed('ssm:SendCommand', arn('document/AWS-RunShellScript'))).toBe(false);
});

test('the log group of an L1 gets metrics and queries, too', () => {
  const stack = newStack();
  const { template } = prefetch({ logGroup: new logs.CfnLogGroup(stack, 'Reports', { logGroupName: 'reports' }) }, stack);
  for (const { Properties } of Object.values<any>(template().findResources('AWS::Logs::MetricFilter'))) {
    expect(Properties.LogGroupName).toEqual({ Ref: 'Reports' });
  }
  expect((stack.node.root as App).synth().stacks).toHaveLength(1);
});
