import * as fs from 'node:fs';
import * as path from 'node:path';
import * as autoscaling from 'aws-cdk-lib/aws-autoscaling';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import * as ecr from 'aws-cdk-lib/aws-ecr';
import { newCluster, prefetch } from './fixture';
import * as library from '../src';
import { ImagePrefetcher, ImageSelection, NodeLimit, NodeSelection } from '../src';

/** What plain JavaScript, or a runner that strips types, hands over in place of what is meant. */
const ODD: { [name: string]: unknown } = {
  'undefined': undefined,
  'null': null,
  'a number': 5,
  'not a number': NaN,
  'true': true,
  'an empty text': '',
  'a text': 'text',
  'an empty list': [],
  'a list of undefined': [undefined],
  'a list of texts': ['text'],
  'a list of numbers': [5],
  'a list of lists': [[]],
  'an object': {},
  'a function': () => 'text',
};

/** Which of them are right after all, by what a place is for. */
const KINDS = {
  text: ['a text'],
  anyText: ['a text', 'an empty text'],
  texts: ['a list of texts'],
  anyTexts: ['a list of texts', 'an empty list'],
  number: ['a number'],
  flag: ['true'],
  list: [],
  anyList: ['an empty list'],
  construct: [],
  options: ['an object'],
};

/** Where a value is given. */
interface Place {
  readonly kind: keyof typeof KINDS;
  readonly optional?: boolean;
  /** Calls with this value at the place, and with what is right at the others. */
  readonly call: (value: any) => unknown;
}

const { stack, prefetcher } = prefetch();
const cluster = newCluster(stack, 'Other');
const nodegroup = cluster.addNodegroupCapacity('Nodes');
const repository = ecr.Repository.fromRepositoryName(stack, 'Repository', 'team/app');
const group = new autoscaling.AutoScalingGroup(stack, 'Group', {
  vpc: new ec2.Vpc(stack, 'Vpc'), instanceType: new ec2.InstanceType('m7i.large'), machineImage: ec2.MachineImage.latestAmazonLinux2023(),
});
let made = 0;
const withProps = (props: any) => new ImagePrefetcher(stack, `Prefetcher${made++}`, props);
const images = (selection: ImageSelection) => withProps({ cluster, images: [selection], nodes: [NodeSelection.cluster()] });
const nodes = (selection: NodeSelection) => withProps({ cluster, repositories: [repository], nodes: [selection] });
const RIGHT = { cluster, repositories: [repository], nodegroups: [nodegroup] };
const prop = (name: string) => (value: any) => withProps({ ...RIGHT, [name]: value });
const options = (call: (value: any) => unknown): Place => ({ kind: 'options', optional: true, call });

const METRICS = ['Pulls', 'PulledBytes', 'PullSeconds', 'PushToCachedSeconds', 'Failures', 'Refusals', 'GateWaitSeconds', 'GateTimeouts', 'Reports'];

/** Each argument of each public method. */
const ARGUMENTS: { [method: string]: Place[] } = {
  'ImagePrefetcher.constructor': [{ kind: 'construct', call: withProps }],
  'ImagePrefetcher.addBootGate': [
    { kind: 'construct', call: value => prefetcher.addBootGate(value) },
    options(value => prefetcher.addBootGate(new ec2.MultipartUserData(), value)),
  ],
  'ImagePrefetcher.renderBootGate': [options(value => prefetcher.renderBootGate(value))],
  'ImagePrefetcher.metric': [{ kind: 'construct', call: value => prefetcher.metric(value) }, options(value => prefetcher.metric('Pulls', value))],
  ...Object.fromEntries(METRICS.map(name => [`ImagePrefetcher.metric${name}`, [options(value => (prefetcher as any)[`metric${name}`](value))]])),
  'ImagePrefetcher.addAlarms': [options(value => prefetch().prefetcher.addAlarms(value))],
  'ImagePrefetcher.addDashboard': [options(value => prefetch().prefetcher.addDashboard(value))],
  'ImagePrefetcher.onRunFailed': [options(value => prefetcher.onRunFailed(`Failed${made++}`, value))],
  'ImagePrefetcher.onPushFinished': [options(value => prefetcher.onPushFinished(`Finished${made++}`, value))],
  'ImagePrefetcherGrants.start': [{ kind: 'construct', call: value => prefetcher.grants.start(value) }],
  'ImageSelection.repository': [
    { kind: 'construct', call: value => images(ImageSelection.repository(value)) },
    options(value => images(ImageSelection.repository(repository, value))),
  ],
  'ImageSelection.tag': [
    { kind: 'construct', call: value => images(ImageSelection.tag(value, 'v1')) },
    { kind: 'text', call: value => images(ImageSelection.tag(repository, value)) },
  ],
  'ImageSelection.digest': [
    { kind: 'construct', call: value => images(ImageSelection.digest(value, `sha256:${'a'.repeat(64)}`)) },
    { kind: 'construct', call: value => images(ImageSelection.digest(repository, value)) },
  ],
  'ImageSelection.registry': [{ kind: 'text', call: value => images(ImageSelection.registry(value)) }],
  'ImageSelection.manifests': [{ kind: 'construct', call: value => images(ImageSelection.manifests(value)) }],
  'ImageSelection.kubernetesManifests': [{ kind: 'construct', call: value => images(ImageSelection.kubernetesManifests(value)) }],
  'ImageSelection.dockerImageAsset': [{ kind: 'construct', call: value => images(ImageSelection.dockerImageAsset(value)) }],
  'ImageSelection.pullThroughCache': [
    { kind: 'text', call: value => images(ImageSelection.pullThroughCache(value, 'v1')) },
    { kind: 'text', call: value => images(ImageSelection.pullThroughCache('hub/app', value)) },
  ],
  'NodeLimit.nodes': [{ kind: 'number', call: value => NodeLimit.nodes(value) }],
  'NodeLimit.percent': [{ kind: 'number', call: value => NodeLimit.percent(value) }],
  'NodeSelection.nodegroups': [
    { kind: 'list', call: value => nodes(NodeSelection.nodegroups(value)) },
    options(value => nodes(NodeSelection.nodegroups([nodegroup], value))),
  ],
  'NodeSelection.nodegroupNames': [
    { kind: 'texts', call: value => nodes(NodeSelection.nodegroupNames(value)) },
    options(value => nodes(NodeSelection.nodegroupNames(['gpu'], value))),
  ],
  'NodeSelection.cluster': [options(value => nodes(NodeSelection.cluster(value)))],
  'NodeSelection.autoScalingGroup': [
    { kind: 'construct', call: value => nodes(NodeSelection.autoScalingGroup(value)) },
    options(value => nodes(NodeSelection.autoScalingGroup(group, value))),
  ],
  'NodeSelection.karpenterNodePools': [
    { kind: 'texts', call: value => nodes(NodeSelection.karpenterNodePools(value)) },
    options(value => nodes(NodeSelection.karpenterNodePools(['gpu'], value))),
  ],
  'NodeSelection.tags': [
    { kind: 'construct', call: value => nodes(NodeSelection.tags(value)) },
    options(value => nodes(NodeSelection.tags({ team: ['ml'] }, value))),
  ],
};

/** Each field of each set of options. */
const FIELDS: { [field: string]: Place } = {
  'ImagePrefetcherProps.cluster': { kind: 'construct', call: prop('cluster') },
  'ImagePrefetcherProps.nodegroups': { kind: 'list', call: prop('nodegroups') },
  'ImagePrefetcherProps.nodes': { kind: 'anyList', optional: true, call: prop('nodes') },
  'ImagePrefetcherProps.repositories': { kind: 'list', call: prop('repositories') },
  'ImagePrefetcherProps.imageTags': { kind: 'texts', optional: true, call: prop('imageTags') },
  'ImagePrefetcherProps.images': { kind: 'anyList', optional: true, call: prop('images') },
  'ImagePrefetcherProps.maxConcurrency': { kind: 'construct', optional: true, call: prop('maxConcurrency') },
  'ImagePrefetcherProps.maxErrors': { kind: 'construct', optional: true, call: prop('maxErrors') },
  'ImagePrefetcherProps.reconcileEvery': { kind: 'construct', optional: true, call: prop('reconcileEvery') },
  'ImagePrefetcherProps.timeout': { kind: 'construct', optional: true, call: prop('timeout') },
  'ImagePrefetcherProps.parallelPulls': { kind: 'number', optional: true, call: prop('parallelPulls') },
  'ImagePrefetcherProps.logGroup': { kind: 'construct', optional: true, call: prop('logGroup') },
  'ImagePrefetcherProps.deadLetterQueue': { kind: 'construct', optional: true, call: prop('deadLetterQueue') },
  'ImagePrefetcherProps.pinImages': { kind: 'flag', optional: true, call: prop('pinImages') },
  'ImagePrefetcherProps.maxDiskUsage': { kind: 'number', optional: true, call: prop('maxDiskUsage') },
  'ImagePrefetcherProps.prefetchOnPush': { kind: 'flag', optional: true, call: prop('prefetchOnPush') },
  'ImagePrefetcherProps.reconcile': { kind: 'flag', optional: true, call: prop('reconcile') },
  'ImagePrefetcherProps.eventBus': { kind: 'construct', optional: true, call: prop('eventBus') },
  'RepositoryImagesOptions.keep': { kind: 'number', optional: true, call: keep => images(ImageSelection.repository(repository, { keep })) },
  'RepositoryImagesOptions.tags': { kind: 'options', optional: true, call: tags => images(ImageSelection.repository(repository, { tags })) },
  'TagFilter.include': { kind: 'texts', optional: true, call: include => images(ImageSelection.repository(repository, { tags: { include } })) },
  'TagFilter.exclude': { kind: 'anyTexts', optional: true, call: exclude => images(ImageSelection.repository(repository, { tags: { exclude } })) },
  'NodeSelectionOptions.nodeRole': { kind: 'construct', optional: true, call: nodeRole => nodes(NodeSelection.cluster({ nodeRole })) },
  'BootGateOptions.maxWait': { kind: 'construct', optional: true, call: maxWait => prefetcher.renderBootGate({ maxWait }) },
  'BootGateOptions.fastImagePull': { kind: 'flag', optional: true, call: fastImagePull => prefetcher.renderBootGate({ fastImagePull }) },
  'AlarmOptions.topic': { kind: 'construct', optional: true, call: topic => prefetch().prefetcher.addAlarms({ topic }) },
  'AlarmOptions.minNodes': { kind: 'number', optional: true, call: minNodes => prefetch().prefetcher.addAlarms({ minNodes }) },
  'DashboardOptions.dashboardName': { kind: 'anyText', optional: true, call: dashboardName => prefetch().prefetcher.addDashboard({ dashboardName }) },
};

/** The public methods of the classes that the library exports; those of CDK's own are CDK's. */
function publicMethods(): string[] {
  return Object.values<any>(library).filter(each => typeof each === 'function').flatMap(each => [
    ...Object.getOwnPropertyNames(each).filter(name => typeof each[name] === 'function'),
    ...Object.getOwnPropertyNames(each.prototype).filter(name => name !== 'constructor' && typeof Object.getOwnPropertyDescriptor(each.prototype, name)!.value === 'function'),
  ].filter(name => !name.startsWith('_')).map(name => `${each.name}.${name}`));
}

function publicFields(): string[] {
  const src = path.join(__dirname, '..', 'src');
  const exported = fs.readFileSync(path.join(src, 'index.ts'), 'utf8').match(/(?<=\.\/)[\w-]+/g)!;
  return exported.flatMap(file => [...fs.readFileSync(path.join(src, `${file}.ts`), 'utf8').matchAll(/^export interface (\w+)[^{]*\{\n(.*?)^\}/gms)])
    .flatMap(([, name, body]) => [...body.matchAll(/^ {2}readonly (\w+)\??:/gm)].map(([, field]) => `${name}.${field}`));
}

test('every public method and field is in the tables', () => {
  expect(Object.keys(ARGUMENTS).sort()).toEqual(['ImagePrefetcher.constructor', ...publicMethods()].sort());
  expect(Object.keys(FIELDS).sort()).toEqual(publicFields().sort());
});

const PLACES: [string, Place][] = [
  ...Object.entries(ARGUMENTS).flatMap(([method, places]) => places.map((place, index): [string, Place] => [`argument ${index + 1} of ${method}`, place])),
  ...Object.entries(FIELDS),
];

test.each(PLACES)('%s: what is of another kind is refused in words', (_, { kind, optional, call }) => {
  const answers = Object.entries(ODD).filter(([name]) => !(KINDS[kind] as string[]).includes(name) && !(optional && name === 'undefined')).map(([name, value]) => {
    try {
      call(value);
      return `${name}: passes`;
    } catch (error) {
      return `${name}: ${error}`;
    }
  });
  // What, the value got, what is allowed: never what JavaScript says.
  expect(answers.filter(answer => !/: Error: .*(?:must|matches nothing).*/.test(answer))).toEqual([]);
});
