import { App, CfnParameter, Stack } from 'aws-cdk-lib';
import { Annotations, Match, Template } from 'aws-cdk-lib/assertions';
import * as autoscaling from 'aws-cdk-lib/aws-autoscaling';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import * as ecr from 'aws-cdk-lib/aws-ecr';
import * as eksV1 from 'aws-cdk-lib/aws-eks';
import * as eks from 'aws-cdk-lib/aws-eks-v2';
import * as iam from 'aws-cdk-lib/aws-iam';
import { flat, newCluster, newStack, prefetch, propertiesOf } from './fixture';
import { ImagePrefetcher, ImageSelection, NodeSelection } from '../src';

const images = [ImageSelection.registry('quay.io/org/app:v1')];

/** The targets of every association as `key=value,value` texts. */
function targets(stack: Stack, build: (stack: Stack) => void): string[][] {
  build(stack);
  return Object.values<any>(Template.fromStack(stack).findResources('AWS::SSM::Association'))
    .map(({ Properties }) => Properties.Targets.map((target: any) => `${flat(target.Key)}=${target.Values.map(flat).join(',')}`));
}

function prefetchTo(stack: Stack, nodes: NodeSelection[], cluster: eks.ICluster = newCluster(stack)) {
  new ImagePrefetcher(stack, 'Prefetcher', { cluster, nodes, images });
}

const newRole = (stack: Stack, id = 'NodeRole') => new iam.Role(stack, id, { assumedBy: new iam.ServicePrincipal('ec2.amazonaws.com') });

describe('managed node groups are found by their tags', () => {
  test('of aws-eks-v2, whatever the feature flag says of nodegroupName', () => {
    for (const flag of [true, false]) {
      const stack = newStack('Stack', { context: { '@aws-cdk/aws-eks:nodegroupNameAttribute': flag } });
      expect(targets(stack, () => prefetchTo(stack, [NodeSelection.nodegroups([newCluster(stack, 'C').addNodegroupCapacity('Gpu')])], stack.node.findChild('C') as any)))
        .toEqual([[expect.stringMatching(/^tag:eks:cluster-name=\{C\w+\}$/), expect.stringMatching(/^tag:eks:nodegroup-name=\{\w+Gpu\w+\.NodegroupName\}$/)]]);
    }
  });

  test('of aws-eks', () => {
    const stack = newStack();
    const cluster = eksV1.Cluster.fromClusterAttributes(stack, 'Cluster', { clusterName: 'prod', vpc: new ec2.Vpc(stack, 'Vpc') });
    const nodegroup = new eksV1.Nodegroup(stack, 'Gpu', { cluster });
    expect(targets(stack, () => new ImagePrefetcher(stack, 'Prefetcher', { cluster, nodegroups: [nodegroup], images })))
      .toEqual([['tag:eks:cluster-name=prod', expect.stringMatching(/^tag:eks:nodegroup-name=\{Gpu\w+\.NodegroupName\}$/)]]);
  });

  test('of L1s, with their role granted', () => {
    const stack = newStack();
    const cluster = new eksV1.CfnCluster(stack, 'Cluster', { roleArn: 'arn:aws:iam::123456789012:role/cluster', resourcesVpcConfig: { subnetIds: [] } });
    const nodegroup = new eksV1.CfnNodegroup(stack, 'Gpu', { clusterName: cluster.ref, nodeRole: 'arn:aws:iam::123456789012:role/gpu-nodes', subnets: [] });
    expect(targets(stack, () => new ImagePrefetcher(stack, 'Prefetcher', { cluster, nodegroups: [nodegroup], images })))
      .toEqual([['tag:eks:cluster-name={Cluster}', 'tag:eks:nodegroup-name={Gpu.NodegroupName}']]);
    expect(propertiesOf(Template.fromStack(stack), 'AWS::IAM::ManagedPolicy').Roles).toEqual(['gpu-nodes']);
  });

  test('imported and by name, with names known only at deployment', () => {
    const stack = newStack();
    const cluster = eksV1.CfnCluster.fromClusterName(stack, 'Cluster', new CfnParameter(stack, 'ClusterName').valueAsString);
    const imported = eks.Nodegroup.fromNodegroupName(stack, 'Imported', 'cpu');
    expect(targets(stack, () => new ImagePrefetcher(stack, 'Prefetcher', {
      cluster,
      images,
      nodegroups: [imported],
      nodes: [NodeSelection.nodegroupNames(['gpu', new CfnParameter(stack, 'NodegroupName').valueAsString])],
    }))).toEqual([['tag:eks:cluster-name={ClusterName}', 'tag:eks:nodegroup-name=gpu,{NodegroupName},cpu']]);
  });
});

describe('a whole cluster', () => {
  const owned = [expect.stringMatching(/^tag:kubernetes.io\/cluster\/\{Cluster\w+\}=owned$/)];

  test('is one set of nodes, by the tag that managed, self-managed and Karpenter nodes all carry', () => {
    const stack = newStack();
    expect(targets(stack, () => prefetchTo(stack, [NodeSelection.cluster()]))).toEqual([owned]);
  });

  test('takes narrower selections of its nodes in, so that nothing runs twice on a node', () => {
    const stack = newStack();
    const cluster = newCluster(stack);
    const nodegroup = cluster.addNodegroupCapacity('Gpu');
    const narrower = [NodeSelection.nodegroups([nodegroup]), NodeSelection.nodegroupNames(['gpu']), NodeSelection.karpenterNodePools(['spot'])];
    expect(targets(stack, () => prefetchTo(stack, [...narrower, NodeSelection.cluster()], cluster))).toEqual([owned]);
    expect(propertiesOf(Template.fromStack(stack), 'AWS::IAM::ManagedPolicy').Roles).toEqual([{ Ref: expect.stringContaining('GpuNodeGroupRole') }]);
  });

  test('repeated with another role is one set of nodes, and both roles get the permissions', () => {
    const stack = newStack();
    expect(targets(stack, () => prefetchTo(stack, ['A', 'B'].map(id => NodeSelection.cluster({ nodeRole: newRole(stack, id) }))))).toEqual([owned]);
    expect(propertiesOf(Template.fromStack(stack), 'AWS::IAM::ManagedPolicy').Roles).toHaveLength(2);
  });

  test('leaves a selection by tags of another cluster alone', () => {
    const stack = newStack();
    expect(targets(stack, () => prefetchTo(stack, [NodeSelection.cluster(), NodeSelection.tags({ 'eks:cluster-name': ['other'] })])))
      .toEqual([owned, ['tag:eks:cluster-name=other']]);
  });
});

test('Auto Scaling groups, Karpenter node pools and tags add up', () => {
  const stack = newStack();
  const group = new autoscaling.AutoScalingGroup(stack, 'Group', {
    vpc: new ec2.Vpc(stack, 'Vpc'),
    instanceType: new ec2.InstanceType('m7i.large'),
    machineImage: ec2.MachineImage.latestAmazonLinux2023(),
  });
  expect(targets(stack, () => prefetchTo(stack, [
    NodeSelection.autoScalingGroup(group),
    NodeSelection.karpenterNodePools(['gpu', 'batch']),
    NodeSelection.tags({ team: ['ml'], stage: ['prod', 'beta'] }),
  ]))).toEqual([
    [expect.stringMatching(/^tag:aws:autoscaling:groupName=\{Group\w+\}$/)],
    [expect.stringMatching(/^tag:eks:eks-cluster-name=\{Cluster\w+\}$/), 'tag:karpenter.sh/nodepool=gpu,batch'],
    ['tag:stage=prod,beta', 'tag:team=ml'],
  ]);
});

test('the command may be sent to the selected nodes only, also where the tag\'s key is known only at deployment', () => {
  const stack = newStack();
  const cluster = newCluster(stack);
  new ImagePrefetcher(stack, 'Prefetcher', {
    cluster,
    repositories: [new ecr.Repository(stack, 'Training')],
    nodes: [NodeSelection.cluster(), NodeSelection.tags({ team: ['ml'] })],
  });
  const policies = Object.values<any>(Template.fromStack(stack).findResources('AWS::IAM::Policy')).map(({ Properties }) => Properties.PolicyDocument);
  const statements = policies.flatMap(document => document.Statement ?? JSON.parse(flat(document)).Statement);
  const sends = statements.filter(statement => [statement.Action].flat().includes('ssm:SendCommand'));
  const ofOneRole = [
    [],
    ['ssm:resourceTag/team'],
    [expect.stringMatching(/^ssm:resourceTag\/kubernetes.io\/cluster\/\{Cluster\w+\}$/)],
  ];
  // The runbook's and the association's.
  expect(sends.map(statement => Object.keys(statement.Condition?.StringEquals ?? {}).sort())).toEqual([...ofOneRole, ...ofOneRole]);
  expect(flat(sends[0].Resource)).toMatch(/:document\/\{PrefetcherDocument\w+\}$/);
});

describe('node roles', () => {
  test('of the node groups get SSM, the selected repositories and the log group', () => {
    const { template } = prefetch();
    const policy = propertiesOf(template(), 'AWS::IAM::ManagedPolicy');
    expect(policy.Roles).toEqual([{ Ref: expect.stringContaining('GpuNodeGroupRole') }]);
    expect(policy.PolicyDocument.Statement.filter((statement: any) => statement.Resource === '*').map((statement: any) => statement.Action))
      .toEqual(['ecr:GetAuthorizationToken']);
    template().hasResourceProperties('AWS::IAM::Role', {
      ManagedPolicyArns: Match.arrayWith([{ 'Fn::Join': ['', ['arn:', { Ref: 'AWS::Partition' }, ':iam::aws:policy/AmazonSSMManagedInstanceCore']] }]),
    });
  });

  test('that cannot be seen are asked for, with what they need', () => {
    const stack = newStack();
    prefetch({ nodes: [NodeSelection.nodegroupNames(['gpu'])] }, stack);
    Annotations.fromStack(stack).hasWarning('*', Match.stringLikeRegexp('the IAM role of nodegroups gpu cannot be seen.*nodeRole of the selection.*AmazonSSMManagedInstanceCore.*ecr:BatchGetImage.*ecr:DescribeImages'));
  });

  test.each(['nodegroups', 'cluster', 'karpenterNodePools', 'tags'] as const)('a user is no role, in a selection by %s', kind => {
    const stack = newStack();
    const options = { nodeRole: new iam.User(stack, 'User') as any };
    const selections = {
      nodegroups: () => NodeSelection.nodegroupNames(['gpu'], options),
      cluster: () => NodeSelection.cluster(options),
      karpenterNodePools: () => NodeSelection.karpenterNodePools(['spot'], options),
      tags: () => NodeSelection.tags({ team: ['ml'] }, options),
    };
    expect(() => prefetch({ nodes: [selections[kind]()] }, stack)).toThrow("nodeRole of a NodeSelection must be a role, got 'Stack/User'");
  });

  test('given with one selection leave the others to their warning', () => {
    const stack = newStack();
    const nodeRole = newRole(stack);
    prefetch({ nodes: [NodeSelection.karpenterNodePools(['spot'], { nodeRole }), NodeSelection.nodegroupNames(['gpu']), NodeSelection.tags({ team: ['ml'] }, { nodeRole })] }, stack);
    Annotations.fromStack(stack).hasWarning('*', Match.stringLikeRegexp('the IAM role of nodegroups gpu cannot be seen'));
    expect(propertiesOf(Template.fromStack(stack), 'AWS::IAM::ManagedPolicy').Roles).toEqual([{ Ref: expect.stringContaining('NodeRole') }]);
  });

  test('of another stack gain no dependency on the prefetcher\'s', () => {
    const app = new App();
    const env = { account: '123456789012', region: 'us-east-1' };
    const clusterStack = new Stack(app, 'ClusterStack', { env });
    const cluster = newCluster(clusterStack);
    const nodegroup = cluster.addNodegroupCapacity('Gpu');
    const stack = new Stack(app, 'PrefetcherStack', { env });
    new ImagePrefetcher(stack, 'Prefetcher', { cluster, nodegroups: [nodegroup], images });
    app.synth();
    expect(clusterStack.dependencies).toEqual([]);
    expect(stack.dependencies).toEqual([clusterStack]);
  });
});

test.each([
  ['node group names', () => NodeSelection.nodegroupNames([5 as any])],
  ['Karpenter node pool names', () => NodeSelection.karpenterNodePools([5 as any])],
  ["tag 'team'", () => NodeSelection.tags({ team: [5 as any] })],
])('a number among %s is refused', (what, selection) => {
  expect(selection).toThrow(`${what} must have texts, got 5 at place 1 of 1: write it in quotes`);
});
