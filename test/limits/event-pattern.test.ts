import * as fs from 'node:fs';
import { App, Stack } from 'aws-cdk-lib';
import * as ecr from 'aws-cdk-lib/aws-ecr';
import * as eks from 'aws-cdk-lib/aws-eks';
import { EventBus } from 'aws-cdk-lib/aws-events';
import type { EventName } from './ecr-events';
import { ECR_EVENTS } from './ecr-events';
import type { ImagePrefetcherProps, TagFilter } from '../../src';
import { ImagePrefetcher, ImageSelection, NodeSelection } from '../../src';
import { Template } from '../../testbed/aws/template';
import { canMatchEvents } from '../../testbed/engines/capabilities';
import { EventRuler } from '../../testbed/engines/event-ruler';
import { ACCOUNT, REGION } from '../../testbed/place';

const skipped = canMatchEvents() ? undefined : 'Java and AWS\'s event-ruler are not there';
// Jest swallows what the console says of a file whose tests are all skipped.
if (skipped) {
  process.stderr.write(`Event patterns are not checked: ${skipped}\n`);
}

const EVERY_TAG: EventName[] = [
  'push of v1.2.0', 'push of v1.3.0-rc', 'push of latest', 'push of build-7-prod', 'push of a Docker image', 'push without media types',
  'push of a multi-architecture index', 'push of an index with an empty media type', 'replication of v1.2.0', 'pull-through cache of v1.2.0',
];
const V1_2_0: EventName[] = EVERY_TAG.filter(name => !['push of v1.3.0-rc', 'push of latest', 'push of build-7-prod'].includes(name));
/** Events that a pattern of exact exclusions cannot keep back, because EventBridge cannot demand two things of one field: the node program refuses them. */
const REFERRERS: EventName[] = ['cosign signature', 'attestation', 'SBOM by its tag', 'referrers fallback tag'];
const allBut = (...names: EventName[]) => EVERY_TAG.filter(name => !names.includes(name));

type Images = (repository: ecr.IRepository, stack: Stack) => Partial<ImagePrefetcherProps>;
const filtered = (tags: TagFilter): Images => repository => ({ images: [ImageSelection.repository(repository, { tags })] });

/** Selection, and the events that may start a run. Everything else of the corpus must not. */
const TABLE: [string, Images, EventName[]][] = [
  ['every tag', repository => ({ repositories: [repository] }), allBut()],
  ['an exact tag', filtered({ include: ['latest'] }), ['push of latest']],
  ['a prefix', filtered({ include: ['v*'] }), [...V1_2_0, 'push of v1.3.0-rc']],
  ['a suffix', filtered({ include: ['*-prod'] }), ['push of build-7-prod']],
  ['a wildcard', filtered({ include: ['build-*-prod'] }), ['push of build-7-prod']],
  ['several includes', filtered({ include: ['latest', '*-prod'] }), ['push of latest', 'push of build-7-prod']],
  ['the short form', repository => ({ repositories: [repository], imageTags: ['latest'] }), ['push of latest']],
  ['an excluded tag', filtered({ exclude: ['latest'] }), [...allBut('push of latest'), ...REFERRERS]],
  ['an excluded prefix', filtered({ exclude: ['v*'] }), ['push of latest', 'push of build-7-prod']],
  ['an excluded suffix', filtered({ exclude: ['*-rc'] }), allBut('push of v1.3.0-rc')],
  ['excludes of several kinds', filtered({ exclude: ['latest', '*-rc', 'build-*-prod'] }), [...V1_2_0]],
  // EventBridge can't demand both of one field: the node program, which knows the exclude, has the last word.
  ['includes and excludes', filtered({ include: ['v*'], exclude: ['*-rc'] }), [...V1_2_0, 'push of v1.3.0-rc']],
  ['a fixed tag', repository => ({ images: [ImageSelection.tag(repository, 'v1.2.0')] }), V1_2_0],
  ['two fixed tags', repository => ({ images: [ImageSelection.tag(repository, 'v1.2.0'), ImageSelection.tag(repository, 'latest')] }), [...V1_2_0, 'push of latest']],
  ['a fixed tag by name', () => ({ images: [ImageSelection.registry(`${ACCOUNT}.dkr.ecr.${REGION}.amazonaws.com/team/app:latest`)] }), ['push of latest']],
  ['a pull-through cache', () => ({ images: [ImageSelection.pullThroughCache('team/app', 'v1.2.0')] }), V1_2_0],
  ['a digest', repository => ({ images: [ImageSelection.digest(repository, `sha256:${'a'.repeat(64)}`)] }), []],
  ['a public image', () => ({ images: [ImageSelection.registry('public.ecr.aws/team/app:v1.2.0')] }), []],
  ['a repository of another account with an event bus', (_, stack) => ({
    repositories: [ecr.Repository.fromRepositoryArn(stack, 'Foreign', `arn:aws:ecr:${REGION}:210987654321:repository/team/app`)],
    eventBus: new EventBus(stack, 'Bus'),
  }), ['other account']],
  ['a repository of another account without one', (_, stack) => ({
    repositories: [ecr.Repository.fromRepositoryArn(stack, 'Foreign', `arn:aws:ecr:${REGION}:210987654321:repository/team/app`)],
  }), []],
  ['a repository of another region with an event bus', (_, stack) => ({
    repositories: [ecr.Repository.fromRepositoryArn(stack, 'Far', `arn:aws:ecr:eu-west-1:${ACCOUNT}:repository/team/app`)],
    eventBus: new EventBus(stack, 'Bus'),
  }), ['other region']],
  ['310 fixed images of as many repositories, in few rules', (_, stack) => ({
    images: [...Array(310).keys()].map(index => ImageSelection.tag(
      ecr.Repository.fromRepositoryName(stack, `R${index}`, index === 155 ? 'team/app' : `team/service-${index}`), index === 155 ? 'v1.2.0' : 'latest')),
  }), V1_2_0],
  ['filters of several kinds in one rule', (repository, stack) => ({
    images: [
      ImageSelection.repository(repository, { tags: { include: ['*-prod'] } }),
      ImageSelection.tag(ecr.Repository.fromRepositoryName(stack, 'Other', 'team/other'), 'v1.2.0'),
    ],
  }), ['push of build-7-prod', 'other repository']],
  ['300 repositories', (_, stack) => ({
    repositories: [...Array(300).keys()].map(index => ecr.Repository.fromRepositoryName(stack, `R${index}`, index === 299 ? 'team/app' : `team/service-${index}`)),
  }), allBut()],
];

function synthesised(images: Images): Template {
  const stack = new Stack(new App(), 'Stack', { env: { account: ACCOUNT, region: REGION } });
  new ImagePrefetcher(stack, 'Prefetcher', {
    cluster: eks.Cluster.fromClusterAttributes(stack, 'Cluster', { clusterName: 'production' }),
    nodes: [NodeSelection.nodegroupNames(['nodes'])],
    ...images(ecr.Repository.fromRepositoryName(stack, 'Repository', 'team/app'), stack),
  });
  const assembly = (stack.node.root as App).synth();
  const { template } = assembly.getStackByName('Stack');
  fs.rmSync(assembly.directory, { recursive: true });
  return new Template(template, { account: ACCOUNT, region: REGION, stackName: 'Stack' });
}

(skipped ? describe.skip : describe)('the rules of a synthesised template, matched by AWS\'s event-ruler', () => {
  const names = Object.keys(ECR_EVENTS) as EventName[];
  const ruler = new EventRuler();
  let matched: EventName[][];

  beforeAll(async () => {
    const patterns = TABLE.map(([, images]) => synthesised(images).resources('AWS::Events::Rule').map(rule => rule.properties.EventPattern));
    const answers = await Promise.all(patterns.flat().map(pattern => ruler.matchesEach(pattern, Object.values(ECR_EVENTS))));
    matched = patterns.map(({ length }) => {
      const rules = answers.splice(0, length);
      return names.filter((_, event) => rules.some(rule => rule[event]));
    });
  }, 120_000);

  afterAll(() => ruler.stop());

  test.each(TABLE.map(([name, , expected], row) => ({ name, expected, row })))('for $name start on these events only', ({ expected, row }) => {
    expect([...matched[row]].sort()).toEqual([...expected].sort());
  });
});

test('the runbook refuses the tags that no image can have', () => {
  const documents = synthesised(repository => ({ repositories: [repository] })).resources('AWS::SSM::Document');
  const runbook = documents.find(document => document.properties.DocumentType === 'Automation')!;
  const { allowedPattern } = runbook.properties.Content.parameters.Tag;
  expect(['', 'v1;reboot', 'v1 v2', '$(reboot)', '-v1', 'v'.repeat(129)].filter(tag => new RegExp(allowedPattern).test(tag))).toEqual([]);
  expect(['v1', 'build-7_x.Y', 'v'.repeat(128)].filter(tag => !new RegExp(allowedPattern).test(tag))).toEqual([]);
});

(skipped ? test.skip : test)('rules on runs match the events of Systems Manager that they are for', async () => {
  const prefetchers = ['A', 'B'].map(name => {
    const stack = new Stack(new App(), `Stack${name}`, { env: { account: ACCOUNT, region: REGION } });
    const prefetcher = new ImagePrefetcher(stack, 'Prefetcher', {
      cluster: eks.Cluster.fromClusterAttributes(stack, 'Cluster', { clusterName: 'production' }),
      nodes: [NodeSelection.nodegroupNames(['nodes'])],
      repositories: [ecr.Repository.fromRepositoryName(stack, 'Repository', 'team/app')],
      prefetchOnPush: false,
    });
    prefetcher.onRunFailed('Failed');
    prefetcher.onPushFinished('Finished');
    const assembly = (stack.node.root as App).synth();
    const { template: source } = assembly.getStackByName(stack.stackName);
    const template = new Template(source, { account: ACCOUNT, region: REGION, stackName: stack.stackName });
    fs.rmSync(assembly.directory, { recursive: true });
    const named = (part: string) => template.ref(template.resources('AWS::SSM::Document').find(({ logicalId }) => logicalId.includes(part))!.logicalId);
    const patterns = template.resources('AWS::Events::Rule').map(({ properties }) => properties.EventPattern);
    return { document: named('PrefetcherDocument'), runbook: named('Runbook'), patterns };
  });
  const event = (detailType: string, detail: object) => ({ 'version': '0', 'source': 'aws.ssm', 'detail-type': detailType, 'account': ACCOUNT, 'region': REGION, detail });
  const [{ document, runbook, patterns: rules }, other] = prefetchers;
  const command = (name: string, status: string) => event('EC2 Command Invocation Status-change Notification', {
    'command-id': 'e8d3c0e4-71f7-4491-898f-c9b35bee5f3b', 'document-name': name, 'instance-id': 'i-9bb89a2b', 'requested-date-time': '2016-07-10T21:51:30.049Z', status,
  });
  const association = (name: string, status: string) => event('EC2 State Manager Instance Association State Change', {
    'association-id': '34fcb7e0-9a14-494c-9989-0e04e3f60bd8', 'instance-id': 'i-12345678', 'document-name': name, 'document-version': '1', status,
  });
  const execution = (name: string, Status: string) => event('EC2 Automation Execution Status-change Notification', {
    ExecutionId: '333ba70b-2333-48db-b17e-a5e69c6f4d1c', Definition: name, DefinitionVersion: 1.0, Status, Time: 5753.0,
  });
  const events = [
    command(document, 'Failed'), command(document, 'TimedOut'), command(document, 'Success'), command(document, 'InProgress'), command(other.document, 'Failed'),
    association(document, 'Failed'), association(document, 'Success'), association(other.document, 'Failed'),
    execution(runbook, 'Success'), execution(runbook, 'Failed'), execution(runbook, 'InProgress'), execution(other.runbook, 'Failed'),
  ];
  const ruler = new EventRuler();
  const matched = await Promise.all(rules.map(pattern => ruler.matchesEach(pattern, events))).finally(() => ruler.stop());
  expect(matched).toEqual([
    [true, true, false, false, false, true, false, false, false, false, false, false],
    [false, false, false, false, false, false, false, false, true, true, false, false],
  ]);
});
