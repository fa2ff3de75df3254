import * as fs from 'node:fs';
import * as path from 'node:path';
import type { App } from 'aws-cdk-lib';
import { Annotations, Duration, Fn, Lazy, Stack } from 'aws-cdk-lib';
import * as autoscaling from 'aws-cdk-lib/aws-autoscaling';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import * as ecr from 'aws-cdk-lib/aws-ecr';
import { CfnCluster } from 'aws-cdk-lib/aws-eks';
import * as eks from 'aws-cdk-lib/aws-eks-v2';
import * as events from 'aws-cdk-lib/aws-events';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as logs from 'aws-cdk-lib/aws-logs';
import * as sqs from 'aws-cdk-lib/aws-sqs';
import { ACCOUNT, newCluster, newStack, prefetch } from './fixture';
import type { ImagePrefetcherProps, TagFilter } from '../src';
import { ImagePrefetcher, ImageSelection, NodeLimit, NodeSelection } from '../src';

const ROOT = path.join(__dirname, '..');

/** The rows of docs/errors-and-warnings.md: what happens, and the message word for word (… stands for what varies). */
const ROWS = fs.readFileSync(path.join(ROOT, 'docs', 'errors-and-warnings.md'), 'utf8').split('\n')
  .map(line => /^\| (.+?) \| `(.+)` \| (.+) \|$/.exec(line))
  .filter(row => row !== null)
  .map(([, condition, message, whatToDo]) => ({ condition, message, whatToDo }));

const given = (props: Partial<ImagePrefetcherProps>) => () => prefetch(props);
const image = (selection: () => ImageSelection) => () => prefetch({ images: [selection()] });
const tags = (filter: TagFilter) => withRepositories(repository => ({ images: [ImageSelection.repository(repository(), { tags: filter })] }));
const nodes = (selection: () => NodeSelection) => () => prefetch({ nodes: [selection()] });

function withRepositories(props: (repository: (name?: string) => ecr.IRepository, stack: Stack) => Partial<ImagePrefetcherProps>) {
  return () => {
    const stack = newStack();
    return prefetch(props((name = 'team/app') => ecr.Repository.fromRepositoryName(stack, `Repository ${name}`, name), stack), stack);
  };
}

function withNodegroup(amiType: eks.NodegroupAmiType) {
  return () => {
    const stack = newStack();
    const cluster = newCluster(stack);
    return prefetch({ cluster, nodegroups: [cluster.addNodegroupCapacity('Nodes', { amiType })] }, stack);
  };
}

function withClusterOf(environment: { account: string; region: string }) {
  return () => {
    const stack = newStack();
    const cluster = eks.Cluster.fromClusterAttributes(new Stack(stack.node.root, 'Other', { env: environment }), 'Cluster', { clusterName: 'production' });
    return prefetch({ cluster, nodes: [NodeSelection.cluster()] }, stack);
  };
}

function withQueue(arn: string) {
  return () => {
    const stack = newStack();
    return prefetch({ deadLetterQueue: sqs.Queue.fromQueueArn(stack, 'Queue', arn) }, stack);
  };
}

/** What provokes each row. */
const PROVOKED: { [condition: string]: () => { stack: Stack } } = {
  'a name for a cluster': given({ cluster: 'prod' as any, nodes: [NodeSelection.cluster()] }),
  'names for node groups': given({ nodegroups: ['gpu'] as any }),
  'no props': () => ({ stack: Stack.of(new ImagePrefetcher(newStack(), 'Prefetcher', undefined as any)) }),
  'null for options': nodes(() => NodeSelection.cluster(null as any)),
  'a text for a flag': given({ reconcile: 'no' as any }),
  'names for nodes': given({ nodes: ['gpu'] as any }),
  'names for repositories': given({ repositories: ['training'] as any }),
  'names for images': given({ images: ['nginx:1.27'] as any }),
  'a number among names, patterns or values': tags({ include: [1.27 as any] }),
  'a number for a limit': given({ maxConcurrency: 10 as any }),
  'a text for a role': nodes(() => NodeSelection.nodegroupNames(['gpu'], { nodeRole: 'eks-nodes' as any })),
  'a text for a log group': given({ logGroup: '/eks/images' as any }),
  'a text for a queue': given({ deadLetterQueue: 'lost-pushes' as any }),
  'a text for an event bus': given({ eventBus: 'ecr' as any }),
  'no images': given({ repositories: [], images: [] }),
  'no nodes': given({ nodegroups: [], nodes: [] }),
  '`imageTags` without `repositories`': given({ imageTags: ['v*'], repositories: [], images: [ImageSelection.registry('quay.io/org/app:v1')] }),
  '`prefetchOnPush` and `reconcile` both off': given({ prefetchOnPush: false, reconcile: false }),
  'the cluster is in another region': withClusterOf({ account: ACCOUNT, region: 'eu-west-1' }),
  'the cluster is in another account': withClusterOf({ account: '210987654321', region: 'us-east-1' }),
  '`reconcile` off and no push can arrive': given({ reconcile: false, images: [ImageSelection.registry('quay.io/org/app:v1')] }),
  '`maxConcurrency` of no node': () => prefetch({ maxConcurrency: NodeLimit.nodes(0) }),
  'a `NodeLimit` out of range': () => prefetch({ maxErrors: NodeLimit.percent(101) }),
  '`reconcileEvery` out of range': given({ reconcileEvery: Duration.minutes(5) }),
  '`timeout` out of range': given({ timeout: Duration.hours(49) }),
  '`parallelPulls` out of range': given({ parallelPulls: 17 }),
  '`maxDiskUsage` at or above the kubelet\'s threshold': given({ maxDiskUsage: 85 }),
  '`keep` out of range': withRepositories(repository => ({ images: [ImageSelection.repository(repository(), { keep: 0 })] })),
  'a repository that can\'t exist': withRepositories(repository => ({ repositories: [repository('Team/App')] })),
  'a tag that can\'t exist': withRepositories(repository => ({ images: [ImageSelection.tag(repository(), 'latest;reboot')] })),
  'a digest that can\'t exist': withRepositories(repository => ({ images: [ImageSelection.digest(repository(), 'sha256:abc')] })),
  'an image name that can\'t exist': image(() => ImageSelection.registry('quay.io/Org/app:v1')),
  'a registry that can\'t exist': image(() => ImageSelection.registry('my_registry.example.com/app:v1')),
  'a registry of ECR with a port': image(() => ImageSelection.registry(`${ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com:443/app:v1`)),
  'a repository that is not there': image(() => ImageSelection.tag('training' as any, 'v1')),
  'manifests without an image': image(() => ImageSelection.manifests({ kind: 'Service', metadata: { name: 'web' } })),
  'a text for a manifest': image(() => ImageSelection.manifests('k8s/app.yaml')),
  'another construct for a manifest': withRepositories(repository => ({ images: [ImageSelection.kubernetesManifests(repository())] })),
  'an image name known only at deployment': image(() => ImageSelection.registry(Fn.importValue('Image'))),
  'a tag pattern known only at deployment': tags({ include: [Lazy.string({ produce: () => 'v*' })] }),
  'a tag pattern with other characters': tags({ include: ['v1 v2'] }),
  'a tag pattern with several `*` in a row': tags({ include: ['v**'] }),
  'a text for a tag filter': tags('v*' as any),
  'an empty include list': tags({ include: [] }),
  'a filter that leaves no tag': tags({ include: ['v1*'], exclude: ['v*'] }),
  'a filter too long for an event pattern': tags({ exclude: [...Array(100).keys()].map(index => `excluded-tag-${index}`) }),
  'too many filters with wildcards': withRepositories(repository => ({
    images: [...Array(31).keys()].map(index => ImageSelection.repository(repository(`team/app-${index}`), { tags: { include: [`v*-${index}`] } })),
  })),
  'more images than a document holds': withRepositories(repository => ({
    repositories: [...Array(300).keys()].map(index => repository(`team-${index}/${'a-long-name/'.repeat(10)}app`)),
  })),
  'a cluster\'s name that can\'t exist': () => {
    const stack = newStack();
    return prefetch({ cluster: CfnCluster.fromClusterName(stack, 'Cluster', ''), nodes: [NodeSelection.cluster()] }, stack);
  },
  'a selection of no node groups': nodes(() => NodeSelection.nodegroups([])),
  'a node group of another cluster': () => {
    const stack = newStack();
    return prefetch({ nodegroups: [newCluster(stack, 'Other').addNodegroupCapacity('Nodes')] }, stack);
  },
  'a Windows node group': withNodegroup(eks.NodegroupAmiType.WINDOWS_CORE_2022_X86_64),
  'a Bottlerocket node group': withNodegroup(eks.NodegroupAmiType.BOTTLEROCKET_X86_64),
  '`amazonLinux2`: an Amazon Linux 2 node group': withNodegroup(eks.NodegroupAmiType.AL2_X86_64),
  'Karpenter node pools of an Auto Mode cluster': () => {
    const stack = newStack();
    return prefetch({ cluster: new eks.Cluster(stack, 'Auto', { version: eks.KubernetesVersion.V1_33 }), nodes: [NodeSelection.karpenterNodePools(['gpu'])] }, stack);
  },
  'an Auto Scaling group that is not there': nodes(() => NodeSelection.autoScalingGroup(undefined as any)),
  'a tag key that can\'t be looked for': nodes(() => NodeSelection.tags({ 'team+stage': ['ml'] })),
  'a pattern for a tag value': nodes(() => NodeSelection.tags({ team: ['*'] })),
  'a tag value that can\'t exist': nodes(() => NodeSelection.tags({ team: ['x'.repeat(257)] })),
  'a gap in a list': nodes(() => NodeSelection.nodegroups([undefined as any])),
  'no list': nodes(() => NodeSelection.nodegroupNames('gpu' as any)),
  'the whole of an Auto Mode cluster': () => {
    const stack = newStack();
    return prefetch({ cluster: new eks.Cluster(stack, 'Auto', { version: eks.KubernetesVersion.V1_33 }), nodes: [NodeSelection.cluster()] }, stack);
  },
  'the whole of a Fargate cluster': () => {
    const stack = newStack();
    return prefetch({ cluster: new eks.FargateCluster(stack, 'Fargate', { version: eks.KubernetesVersion.V1_33, coreDnsComputeType: eks.CoreDnsComputeType.EC2 }), nodes: [NodeSelection.cluster()] }, stack);
  },
  'an Auto Scaling group with Windows': () => {
    const stack = newStack();
    const group = new autoscaling.AutoScalingGroup(stack, 'Group', {
      vpc: new ec2.Vpc(stack, 'Vpc'),
      instanceType: new ec2.InstanceType('m7i.large'),
      machineImage: ec2.MachineImage.latestWindows(ec2.WindowsVersion.WINDOWS_SERVER_2022_ENGLISH_CORE_BASE),
    });
    return prefetch({ nodes: [NodeSelection.autoScalingGroup(group)] }, stack);
  },
  'no or more than 5 tag keys': nodes(() => NodeSelection.tags({})),
  'no or more than 50 values of a tag': nodes(() => NodeSelection.tags({ team: [] })),
  'no names': nodes(() => NodeSelection.karpenterNodePools([])),
  'a name that can\'t exist': nodes(() => NodeSelection.nodegroupNames(['gpu nodes'])),
  '`maxWait` of the boot gate out of range': () => {
    const { stack, prefetcher } = prefetch();
    prefetcher.addBootGate(new ec2.MultipartUserData(), { maxWait: Duration.minutes(11) });
    return { stack };
  },
  'a second boot gate in one user data': () => {
    const { stack, prefetcher } = prefetch();
    const userData = new ec2.MultipartUserData();
    prefetcher.addBootGate(userData);
    prefetcher.addBootGate(userData);
    return { stack };
  },
  'a metric that is not there': () => {
    const { stack, prefetcher } = prefetch();
    prefetcher.metric('Pulled');
    return { stack };
  },
  '`minNodes` of the alarms out of range': () => {
    const { stack, prefetcher } = prefetch();
    prefetcher.addAlarms({ minNodes: -1 });
    return { stack };
  },
  'a log group that is elsewhere': () => {
    const stack = newStack();
    const elsewhere = new Stack(stack.node.root, 'Other', { env: { account: ACCOUNT, region: 'eu-west-1' } });
    return prefetch({ logGroup: new logs.LogGroup(elsewhere, 'LogGroup') }, stack);
  },
  'a dead-letter queue of another region': withQueue(`arn:aws:sqs:eu-west-1:${ACCOUNT}:letters`),
  'a FIFO queue': withQueue(`arn:aws:sqs:us-east-1:${ACCOUNT}:letters.fifo`),
  'an event bus that is elsewhere': () => {
    const stack = newStack();
    return prefetch({ eventBus: events.EventBus.fromEventBusArn(stack, 'Bus', `arn:aws:events:eu-west-1:${ACCOUNT}:event-bus/ecr`) }, stack);
  },
  'prefetcher and cluster in stacks that need each other': () => {
    const stack = newStack();
    const cluster = newCluster(new Stack(stack.node.root, 'Platform', { env: { account: ACCOUNT, region: 'us-east-1' } }));
    const nodegroup = cluster.addNodegroupCapacity('Gpu');
    const { prefetcher } = prefetch({ cluster, nodegroups: [nodegroup] }, stack);
    nodegroup.node.addDependency(prefetcher);
    (stack.node.root as App).synth();
    return { stack };
  },
  '`longTimeout`: a timeout of more than 2 hours': given({ timeout: Duration.hours(3) }),
  '`deadLetterQueuePolicy`: a dead-letter queue whose policy can\'t be changed': withQueue(`arn:aws:sqs:us-east-1:${ACCOUNT}:letters`),
  '`manyRules`: more rules than a bus takes': withRepositories((repository, stack) => {
    for (let index = 0; index < 300; index++) {
      new events.Rule(stack, `Rule${index}`, { eventPattern: { source: ['test'] } });
    }
    return { repositories: [repository()] };
  }),
  '`manyExports`: many repositories of another stack': () => {
    const stack = newStack();
    const registry = new Stack(stack.node.root, 'Registry', { env: { account: ACCOUNT, region: 'us-east-1' } });
    return prefetch({ repositories: [...Array(101).keys()].map(index => new ecr.Repository(registry, `Repository${index}`)) }, stack);
  },
  '`impliedLatest`: an image without a tag': image(() => ImageSelection.registry('nginx')),
  '`nodeRoleNotVisible`: nodes whose role can\'t be seen': nodes(() => NodeSelection.cluster()),
  '`noPushEvents`: a repository of another region or account': withRepositories((_, stack) => ({
    repositories: [ecr.Repository.fromRepositoryArn(stack, 'Far', `arn:aws:ecr:eu-west-1:${ACCOUNT}:repository/team/app`)],
  })),
  '`importedNodeRole`: a node role that is not made in this app': () => {
    const stack = newStack();
    return prefetch({ nodes: [NodeSelection.nodegroupNames(['gpu'], { nodeRole: iam.Role.fromRoleName(stack, 'NodeRole', 'production-nodes') })] }, stack);
  },
  '`roleNameOfArn`: a node role imported by an ARN that only a deployment knows': () => {
    const stack = newStack();
    const nodeRole = iam.Role.fromRoleArn(stack, 'NodeRole', Fn.importValue('NodeRole'));
    const made = prefetch({ nodes: [NodeSelection.nodegroupNames(['gpu'], { nodeRole })] }, stack);
    Annotations.of(made.prefetcher).acknowledgeWarning('cdk-eks-image-prefetcher:importedNodeRole', 'a row of its own');
    return made;
  },
  '`fixedNodeRole`: a node role that may not be changed': () => {
    const stack = newStack();
    const nodeRole = iam.Role.fromRoleArn(stack, 'NodeRole', `arn:aws:iam::${ACCOUNT}:role/nodes`, { mutable: false });
    return prefetch({ nodes: [NodeSelection.nodegroupNames(['gpu'], { nodeRole })] }, stack);
  },
  '`manyNodePolicies`: many prefetchers on one role, or very many repositories with long names': withRepositories(repository => ({
    repositories: [...Array(240).keys()].map(index => repository(`team-${index}/${'a-long-name/'.repeat(6)}app`)),
  })),
};

/** The message of the error, or of this library's only warning. */
function provoke(condition: string): string {
  try {
    const { stack } = PROVOKED[condition]();
    const warnings = stack.node.findAll().flatMap(construct => construct.node.metadata)
      .filter(({ type, data }) => type === 'aws:cdk:warning' && data.includes('[ack: cdk-eks-image-prefetcher:'))
      .map(({ data }) => data.replace(/ \[ack: cdk-eks-image-prefetcher:(\w+)\]$/, (_: string, id: string) => condition.startsWith(`\`${id}\`:`) ? '' : ` (its id is ${id})`));
    return warnings.join('; ') || 'neither an error nor a warning';
  } catch (error) {
    return (error as Error).message;
  }
}

test('the table has what is provoked here, and nothing else', () => {
  expect(ROWS.map(({ condition }) => condition).sort()).toEqual(Object.keys(PROVOKED).sort());
});

test.each(ROWS)('$condition: says what the table says', ({ condition, message }) => {
  const provoked = provoke(condition);
  if (message.includes('…')) {
    const parts = message.split('…').map(part => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
    expect(provoked).toMatch(new RegExp(`^${parts.join('.+')}$`));
  } else {
    expect(provoked).toBe(message);
  }
});

test('the table has every error and warning of the source', () => {
  const source = fs.readdirSync(path.join(ROOT, 'src')).map(file => fs.readFileSync(path.join(ROOT, 'src', file), 'utf8')).join('\n');
  const messages = [...source.matchAll(/(?:throw new Error\(|addWarningV2\('[\w:-]+',\s*)(['`])(.+)\1/g)].map(([, , text]) => text);
  expect(messages).toHaveLength([...source.matchAll(/throw new |\.add(?:Warning|Error|Info)/g)].length);
  const unlisted = messages.filter(text => {
    const parts = text.replace(/\$\{(?:[^{}]|\{[^}]*\})*\}/g, '…').split('…').map(part => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
    return !ROWS.some(({ message }) => new RegExp(`^${parts.join('.*')}$`).test(message));
  });
  expect(unlisted).toEqual([]);
});
