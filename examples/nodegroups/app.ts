// Managed node groups however they are made: aws-eks-v2, aws-eks, L1, imported, or only known by name.
import { App, Stack } from 'aws-cdk-lib';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import * as ecr from 'aws-cdk-lib/aws-ecr';
import * as eks1 from 'aws-cdk-lib/aws-eks';
import * as eks from 'aws-cdk-lib/aws-eks-v2';
import * as iam from 'aws-cdk-lib/aws-iam';
import { ImagePrefetcher, NodeSelection } from 'cdk-eks-image-prefetcher';

export const app = new App({ context: { '@aws-cdk/aws-eks:defaultToAL2023': true } });

// A cluster made here by aws-eks-v2.
const stack = new Stack(app, 'Nodegroups');
const cluster = new eks.Cluster(stack, 'Cluster', {
  version: eks.KubernetesVersion.V1_34,
  defaultCapacityType: eks.DefaultCapacityType.NODEGROUP,
});
const nodeRole = new iam.Role(stack, 'NodeRole', {
  assumedBy: new iam.ServicePrincipal('ec2.amazonaws.com'),
  managedPolicies: ['AmazonEKSWorkerNodePolicy', 'AmazonEKS_CNI_Policy', 'AmazonEC2ContainerRegistryPullOnly']
    .map(name => iam.ManagedPolicy.fromAwsManagedPolicyName(name)),
});
const level1 = new eks1.CfnNodegroup(stack, 'Level1', {
  clusterName: cluster.clusterName,
  nodeRole: nodeRole.roleArn,
  subnets: cluster.vpc.privateSubnets.map(subnet => subnet.subnetId),
});

new ImagePrefetcher(stack, 'Prefetcher', {
  cluster,
  nodegroups: [cluster.defaultNodegroup!, level1],
  // The role of a node group that is imported or only named cannot be seen from here.
  nodes: [NodeSelection.nodegroupNames(['batch', 'reports'], { nodeRole })],
  repositories: [new ecr.Repository(stack, 'Training')],
});

// A cluster that exists already, with a node group by aws-eks.
const existing = new Stack(app, 'NodegroupsOfImportedCluster', { env: { account: '111122223333', region: 'eu-west-1' } });
const vpc = ec2.Vpc.fromVpcAttributes(existing, 'Vpc', {
  vpcId: 'vpc-0123456789abcdef0',
  availabilityZones: ['eu-west-1a', 'eu-west-1b'],
  privateSubnetIds: ['subnet-0123456789abcdef0', 'subnet-0123456789abcdef1'],
});
const imported = eks1.Cluster.fromClusterAttributes(existing, 'Cluster', { clusterName: 'production', vpc });
const nodegroup = new eks1.Nodegroup(existing, 'Nodes', { cluster: imported });

new ImagePrefetcher(existing, 'Prefetcher', {
  cluster: imported,
  nodegroups: [nodegroup],
  repositories: [new ecr.Repository(existing, 'Training')],
});
