import { App, CfnParameter, Fn, Lazy, NestedStack, Stack } from 'aws-cdk-lib';
import { Match, Template } from 'aws-cdk-lib/assertions';
import * as autoscaling from 'aws-cdk-lib/aws-autoscaling';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import * as ecr from 'aws-cdk-lib/aws-ecr';
import * as eks from 'aws-cdk-lib/aws-eks';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as sqs from 'aws-cdk-lib/aws-sqs';
import * as ssm from 'aws-cdk-lib/aws-ssm';
import { Construct } from 'constructs';
import { flat, newCluster, newStack, prefetch, propertiesOf, warningsOf, wantedList } from './fixture';
import { ImagePrefetcher, ImageSelection, NodeSelection } from '../src';

const images = [ImageSelection.registry('quay.io/org/app:v1')];
const ARN = 'arn:aws:iam::123456789012:role/nodes';
const nodegroupOf = (stack: Stack, nodeRole: string, clusterName = 'prod') => new eks.CfnNodegroup(stack, 'Gpu', { clusterName, nodeRole, subnets: [] });
const clusterOf = (stack: Stack, name = 'prod') => eks.CfnCluster.fromClusterName(stack, 'Cluster', name);
const rolesOf = (stack: Stack) => Object.values<any>(Template.fromStack(stack).findResources('AWS::IAM::ManagedPolicy')).flatMap(({ Properties }) => Properties.Roles);

describe('before a lookup was made', () => {
  test.each<[string, (stack: Stack, value: string) => Parameters<typeof prefetch>[0]]>([
    ['tag', (stack, value) => ({ images: [ImageSelection.tag(ecr.Repository.fromRepositoryName(stack, 'R', 'app'), value)] })],
    ['digest', (stack, value) => ({ images: [ImageSelection.digest(ecr.Repository.fromRepositoryName(stack, 'R', 'app'), value)] })],
    ['image name', (_, value) => ({ images: [ImageSelection.registry(value)] })],
    ['part of an image name', (_, value) => ({ images: [ImageSelection.registry(`quay.io/org/app:${value}`)] })],
    ['repository name', (_, value) => ({ images: [ImageSelection.pullThroughCache(value, 'v1')] })],
    ['tag pattern', (stack, value) => ({ images: [ImageSelection.repository(ecr.Repository.fromRepositoryName(stack, 'R', 'app'), { tags: { include: [value] } })] })],
    ['node group name', (_, value) => ({ nodes: [NodeSelection.nodegroupNames([value])] })],
    ['node pool name', (_, value) => ({ nodes: [NodeSelection.karpenterNodePools([value])] })],
    ['tag of instances', (_, value) => ({ nodes: [NodeSelection.tags({ [value]: [value] })] })],
    ['cluster name', (stack, value) => ({ cluster: clusterOf(stack, value), nodegroups: [nodegroupOf(stack, ARN)] })],
    ['role of an L1', (stack, value) => ({ cluster: clusterOf(stack), nodegroups: [nodegroupOf(stack, value)] })],
  ])('a %s passes', (_, props) => {
    const stack = newStack();
    expect(() => prefetch(props(stack, ssm.StringParameter.valueFromLookup(stack, '/a/parameter')), stack)).not.toThrow();
  });

  test('a repository passes', () => {
    const stack = newStack();
    expect(() => prefetch({ repositories: [ecr.Repository.fromLookup(stack, 'R', { repositoryName: 'app' })] }, stack)).not.toThrow();
  });
});

describe('a node role', () => {
  test('of an L1 is the role of this app, whatever its path', () => {
    const stack = newStack();
    const role = new iam.Role(stack, 'Role', { path: '/eks/', assumedBy: new iam.ServicePrincipal('ec2.amazonaws.com') });
    prefetch({ cluster: clusterOf(stack), nodegroups: [nodegroupOf(stack, role.roleArn)], images }, stack);
    expect(rolesOf(stack)).toEqual([{ Ref: expect.stringMatching(/^Role/) }]);
    expect(warningsOf(stack)).toEqual([]);
  });

  test('of an L1 role is found by its name, with a path in its ARN too', () => {
    for (const arn of [undefined, 'arn:aws:iam::123456789012:role/eks/gpu-nodes']) {
      const stack = newStack();
      const level1 = new iam.CfnRole(stack, 'Role', { path: '/eks/', assumeRolePolicyDocument: {} });
      prefetch({ cluster: clusterOf(stack), nodegroups: [nodegroupOf(stack, arn ?? level1.attrArn)], images }, stack);
      expect(rolesOf(stack)).toEqual([arn ? 'gpu-nodes' : { Ref: 'Role' }]);
    }
  });

  test('of a node group that is selected twice, by one prefetcher or two, gets each policy once', () => {
    const stack = newStack();
    const cluster = clusterOf(stack);
    const nodegroup = nodegroupOf(stack, ARN);
    for (const id of ['A', 'B']) {
      new ImagePrefetcher(stack, id, { cluster, images, nodegroups: [nodegroup], nodes: [NodeSelection.nodegroups([nodegroup])] });
    }
    expect(rolesOf(stack)).toEqual(['nodes', 'nodes']);
  });

  test.each<[string, (stack: Stack) => iam.IRole]>([
    ['immutable', stack => iam.Role.fromRoleArn(stack, 'Role', ARN, { mutable: false })],
    ['of another account', stack => iam.Role.fromRoleArn(stack, 'Role', 'arn:aws:iam::210987654321:role/nodes')],
    ['without policy updates', stack => new iam.Role(stack, 'Role', { assumedBy: new iam.ServicePrincipal('ec2.amazonaws.com') }).withoutPolicyUpdates()],
  ])('that is %s gets nothing, which a warning says', (_, role) => {
    const stack = newStack();
    prefetch({ nodes: [NodeSelection.nodegroupNames(['gpu'], { nodeRole: role(stack) })], images }, stack);
    Template.fromStack(stack).resourceCountIs('AWS::IAM::ManagedPolicy', 0);
    expect(warningsOf(stack)).toEqual([expect.stringMatching(/^fixedNodeRole: node role 'Stack\/.*' may not be changed from here.*AmazonSSMManagedInstanceCore/)]);
  });

  test('that is imported in several ways is named once', () => {
    const stack = newStack();
    const roles = [iam.Role.fromRoleArn(stack, 'ByArn', ARN), iam.Role.fromRoleName(stack, 'ByName', 'nodes')];
    prefetch({ nodes: roles.map(nodeRole => NodeSelection.nodegroupNames(['gpu'], { nodeRole })), images }, stack);
    expect(rolesOf(stack)).toEqual(['nodes']);
  });

  test('is not made where roles are customized, nor is a policy', () => {
    const stack = newStack();
    iam.Role.customizeRoles(stack, { preventSynthesis: true, usePrecreatedRoles: {} });
    new ImagePrefetcher(stack, 'Prefetcher', {
      cluster: clusterOf(stack, new CfnParameter(stack, 'ClusterName').valueAsString),
      repositories: [ecr.Repository.fromRepositoryName(stack, 'R', 'app')],
      nodes: [NodeSelection.cluster({ nodeRole: new iam.Role(stack, 'Role', { assumedBy: new iam.ServicePrincipal('ec2.amazonaws.com') }) })],
    });
    expect(Object.values<any>(stack.node.findAll()).filter(each => /^AWS::IAM::/.test(each.cfnResourceType ?? '')).map(each => each.cfnResourceType)).toEqual([]);
  });
});

describe('what is known only at deployment', () => {
  test('is named by its construct in a warning', () => {
    const stack = newStack();
    prefetch({ nodes: [NodeSelection.nodegroupNames([new CfnParameter(stack, 'Name').valueAsString, 'gpu'])], images }, stack);
    expect(warningsOf(stack)).toEqual([expect.stringContaining('the IAM role of nodegroups Stack/Name, gpu cannot be seen')]);
  });

  test('may be a list, or the name of a node group of this app', () => {
    const stack = newStack();
    const nodegroup = nodegroupOf(stack, ARN);
    prefetch({
      cluster: clusterOf(stack),
      images,
      nodes: [NodeSelection.nodegroupNames(new CfnParameter(stack, 'Names', { type: 'CommaDelimitedList' }).valueAsList), NodeSelection.nodegroupNames([nodegroup.ref])],
    }, stack);
    expect(Object.values<any>(Template.fromStack(stack).findResources('AWS::SSM::Association')).map(({ Properties }) => Properties.Targets[1].Values))
      .toEqual([{ Ref: 'Names' }, [{ 'Fn::GetAtt': ['Gpu', 'NodegroupName'] }]]);
  });

  test('may be how many images are kept', () => {
    const stack = newStack();
    const keep = new CfnParameter(stack, 'Keep', { type: 'Number' }).valueAsNumber;
    expect(wantedList(stack, ImageSelection.repository(ecr.Repository.fromRepositoryName(stack, 'R', 'app'), { keep }))[0]).toMatch(/\?newest=\{Keep\}$/);
  });

  test('is no other cluster', () => {
    const stack = newStack();
    const cluster = eks.CfnCluster.fromClusterName(stack, 'Imported', Fn.importValue('Name'));
    expect(() => prefetch({ cluster, images, nodegroups: [nodegroupOf(stack, ARN, Fn.importValue('Other'))] }, stack)).not.toThrow();
  });
});

test('a node group of a literal other cluster is refused', () => {
  const stack = newStack();
  const cluster = new eks.CfnCluster(stack, 'Cluster', { name: 'prod', roleArn: ARN, resourcesVpcConfig: { subnetIds: [] } });
  expect(() => prefetch({ cluster, images, nodegroups: [nodegroupOf(stack, ARN, 'other')] }, stack)).toThrow("nodegroup 'Stack/Gpu' is of another cluster than 'Stack/Cluster'");
});

test('tags in any order are the same nodes', () => {
  const stack = newStack();
  prefetch({ images, nodes: [NodeSelection.tags({ stage: ['a'], team: ['b'] }), NodeSelection.tags({ team: ['b'], stage: ['a'] })] }, stack);
  expect(propertiesOf(Template.fromStack(stack), 'AWS::SSM::Association').Targets.map((target: any) => flat(target.Key))).toEqual(['tag:stage', 'tag:team']);
});

test.each(['/aws/service/bottlerocket/aws-k8s-1.34/x86_64/latest/image_id', '/aws/service/eks/optimized-ami/1.29/amazon-linux-2/recommended/image_id'])(
  'an Auto Scaling group of %s is refused', parameter => {
    const stack = newStack();
    const group = new autoscaling.AutoScalingGroup(stack, 'Group', {
      vpc: new ec2.Vpc(stack, 'Vpc'), instanceType: new ec2.InstanceType('m7i.large'), machineImage: ec2.MachineImage.fromSsmParameter(parameter),
    });
    expect(() => NodeSelection.autoScalingGroup(group)).toThrow(/^Auto Scaling group 'Stack\/Group' runs (Bottlerocket|Amazon Linux 2), .*: select Amazon Linux 2023 nodes$/);
  });

test.each(['amazonaws.com', 'amazonaws.com.cn', 'amazonaws.eu', 'c2s.ic.gov', 'sc2s.sgov.gov', 'cloud.adc-e.uk', 'csp.hci.ic.gov', 'on.aws'])('a host on %s is ECR\'s', domain => {
  const [image] = ImageSelection.registry(`123456789012.dkr.ecr.eusc-de-east-1.${domain}/app:v1`)._bind(new Stack(new App(), 'Stack'));
  expect(image.ecr).toMatchObject({ account: '123456789012', region: 'eusc-de-east-1' });
});

test.each([
  ['docker.io/nginx:1.27', 'docker.io/library/nginx:1.27'],
  ['index.docker.io/nginx:1.27', 'docker.io/library/nginx:1.27'],
  ['index.docker.io/grafana/grafana:1', 'docker.io/grafana/grafana:1'],
  ['my_team/app:v1', 'docker.io/my_team/app:v1'],
])('%s is %s, as for the kubelet', (name, spelled) => {
  expect(wantedList(newStack(), ImageSelection.registry(name))).toEqual([spelled]);
});

test.each(['my_registry.example.com/app:v1', 'Quay.io/org/app:v1', '[::1]:5000/app:v1', 'quay.io:99999/app:v1', 'Foo/app:v1'])('%s is refused where it is written', name => {
  expect(() => ImageSelection.registry(name)).toThrow(/an image name must be spelled with a registry of lower-case letters/);
});

test('a cluster of this app is known by its resource', () => {
  const stack = newStack();
  const [one, other] = [newCluster(stack, 'One'), newCluster(stack, 'Other')];
  expect(() => prefetch({ cluster: one, nodegroups: [other.addNodegroupCapacity('Gpu')], images }, stack)).toThrow('is of another cluster');
});

test('a prefetcher in a nested stack may know the cluster of its parent, whose nodes wait at its gate', () => {
  const stack = newStack();
  const cluster = new eks.CfnCluster(stack, 'Cluster', { roleArn: ARN, resourcesVpcConfig: { subnetIds: [] } });
  const prefetcher = new ImagePrefetcher(new NestedStack(stack, 'Nested'), 'Prefetcher', { cluster, images, nodes: [NodeSelection.nodegroupNames(['gpu'])] });
  const userData = new ec2.MultipartUserData();
  prefetcher.addBootGate(userData);
  new ec2.LaunchTemplate(stack, 'LaunchTemplate', { userData });
  expect(() => (stack.node.root as App).synth()).not.toThrow();
});

test.each([undefined, null, 5])('%s is no image name', name => {
  expect(() => ImageSelection.registry(name as any)).toThrow(`an image name must be [HOST/]repository[:tag][@sha256:digest] in the characters registries allow, got ${name}`);
});

test('exports are counted by the whole path of a stack, whatever is in it', () => {
  const stack = newStack();
  const teams = ['team a', 'team b'].map(team => new Stack(new Construct(stack.node.root, team), 'Registry', { env: { account: stack.account, region: stack.region } }));
  prefetch({ repositories: teams.flatMap(team => [...Array(60).keys()].map(index => new ecr.Repository(team, `Repository${index}`))) }, stack);
  // Each repository is handed over by its name and its ARN: 120 of a stack.
  expect(warningsOf(stack).filter(warning => warning.includes('export'))).toEqual([]);
});

test.each<[string, (stack: Stack) => string]>([
  ['a join', () => Fn.join('', ['oth', 'er'])],
  ['a Lazy', () => Lazy.string({ produce: () => 'other' })],
])('a node group of another cluster is refused by %s', (_, name) => {
  const stack = newStack();
  expect(() => prefetch({ cluster: clusterOf(stack), images, nodegroups: [nodegroupOf(stack, ARN, name(stack))] }, stack)).toThrow('is of another cluster');
});

test('a role that is made when it is needed gets what a role of the app gets', () => {
  const stack = newStack();
  const nodeRole = new iam.LazyRole(stack, 'Role', { assumedBy: new iam.ServicePrincipal('ec2.amazonaws.com') });
  prefetch({ nodes: [NodeSelection.nodegroupNames(['gpu'], { nodeRole })], images }, stack);
  expect(rolesOf(stack)).toEqual([{ Ref: expect.stringMatching(/^Role/) }]);
  const template = Template.fromStack(stack);
  template.hasResourceProperties('AWS::IAM::Role', { ManagedPolicyArns: [{ 'Fn::Join': ['', Match.arrayWith([Match.stringLikeRegexp('AmazonSSMManagedInstanceCore$')])] }] });
  template.resourcePropertiesCountIs('AWS::IAM::Policy', { PolicyName: Match.stringLikeRegexp('^Role') }, 0);
  expect(warningsOf(stack)).toEqual([]);
});

test.each<[string, (stack: Stack) => iam.IRole, boolean]>([
  ['an ARN of a parameter', stack => iam.Role.fromRoleArn(stack, 'Role', new CfnParameter(stack, 'Arn').valueAsString), true],
  ['an ARN of another stack', stack => iam.Role.fromRoleArn(stack, 'Role', Fn.importValue('Arn')), true],
  ['an ARN in an account of a parameter', stack => iam.Role.fromRoleArn(stack, 'Role', `arn:aws:iam::${new CfnParameter(stack, 'Account').valueAsString}:role/eks/nodes`), false],
  ['a name of a parameter', stack => iam.Role.fromRoleName(stack, 'Role', new CfnParameter(stack, 'Name').valueAsString), false],
  ['the ARN of a role of this app', stack => iam.Role.fromRoleArn(stack, 'Role', new iam.Role(stack, 'Own', { path: '/eks/', assumedBy: new iam.ServicePrincipal('ec2.amazonaws.com') }).roleArn), false],
])('a node role imported by %s: whether a warning says that its path may be taken for its name', (_, role, warned) => {
  const stack = newStack();
  prefetch({ nodes: [NodeSelection.nodegroupNames(['gpu'], { nodeRole: role(stack) })], images }, stack);
  expect(warningsOf(stack).some(warning => warning.startsWith('roleNameOfArn'))).toBe(warned);
});

test('a substitution of more than account, partition and region is known at deployment', () => {
  const stack = newStack();
  const [image] = wantedList(stack, ImageSelection.registry(`quay.io/org/app:${Fn.sub('${AWS::StackName}-v1')}`));
  expect(image).toBe('quay.io/org/app:{"Fn::Sub":"${AWS::StackName}-v1"}');
});

test('a dynamic reference may be the name of the cluster, of a node group, of a repository, and a tag of it', () => {
  const stack = newStack();
  const text = '{{resolve:ssm:/platform/name}}';
  const repository = ecr.Repository.fromRepositoryName(stack, 'R', text);
  const nodes = [NodeSelection.nodegroupNames([text])];
  expect(() => prefetch({ cluster: clusterOf(stack, text), nodes, images: [ImageSelection.tag(repository, text)] }, stack)).not.toThrow();
});

test('a repository of another region is named by its construct in a warning', () => {
  const stack = newStack();
  const other = new Stack(stack.node.root, 'Other', { env: { account: stack.account, region: 'eu-west-1' } });
  prefetch({ repositories: [new ecr.Repository(other, 'Training')] }, stack);
  expect(warningsOf(stack)).toContainEqual(expect.stringContaining("pushes to repository 'Other/Training/Resource' of region eu-west-1"));
});

test.each<[string, (stack: Stack) => sqs.CfnQueue | sqs.IQueue]>([
  ['an L1', stack => new sqs.CfnQueue(stack, 'Queue', { fifoQueue: true })],
  ['an L1 by its name', stack => new sqs.CfnQueue(stack, 'Queue', { queueName: 'lost.fifo' })],
  ['an L2', stack => new sqs.Queue(stack, 'Queue', { fifo: true })],
  ['imported', stack => sqs.Queue.fromQueueAttributes(stack, 'Queue', { queueArn: Fn.importValue('Queue'), fifo: true })],
])('a FIFO queue that is %s takes no lost pushes', (_, queue) => {
  const stack = newStack();
  expect(() => prefetch({ deadLetterQueue: queue(stack) }, stack)).toThrow("deadLetterQueue 'Stack/Queue' must be a standard queue");
});

test('a queue in a stack of another account lets EventBridge send for the rules of the prefetcher\'s account', () => {
  const stack = newStack();
  const other = new Stack(stack.node.root, 'Other', { env: { account: '210987654321', region: stack.region } });
  prefetch({ deadLetterQueue: new sqs.Queue(other, 'Queue', { queueName: 'lost-pushes' }) }, stack);
  const [{ Condition }] = propertiesOf(Template.fromStack(other), 'AWS::SQS::QueuePolicy').PolicyDocument.Statement;
  expect(Condition.StringEquals).toEqual({ 'aws:SourceAccount': stack.account });
  expect(flat(Condition.ArnLike['aws:SourceArn'])).toMatch(new RegExp(`:events:us-east-1:${stack.account}:rule/\\*$`));
});

const HEX = 'a'.repeat(64);
test.each<[string, Parameters<typeof ImageSelection.repository>[1], string, number]>([
  ['every tag', {}, 'stable', 1],
  ['patterns of which one matches it', { tags: { include: ['v*-prod', 'stable'] } }, 'stable', 1],
  ['every tag but others', { tags: { exclude: ['*-rc'] } }, 'stable', 1],
  ['every tag but such', { tags: { exclude: ['*-rc'] } }, 'v1-rc', 2],
  ['other patterns', { tags: { include: ['v*-prod'] } }, 'stable', 2],
  ['every tag, which those of signatures are not', {}, `sha256-${HEX}`, 2],
])('a repository that is wanted by %s, and by a tag: as many rules as it takes', (_, options, tag, rules) => {
  const stack = newStack();
  const repository = ecr.Repository.fromRepositoryName(stack, 'R', 'app');
  const { prefetcher } = prefetch({ images: [ImageSelection.repository(repository, options), ImageSelection.tag(repository, tag)] }, stack);
  expect(prefetcher.rules).toHaveLength(rules);
});
