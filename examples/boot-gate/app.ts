// The boot gate in the launch template of a managed node group: a new node takes no pod until its images are there.
import { App, Duration, Stack } from 'aws-cdk-lib';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import * as ecr from 'aws-cdk-lib/aws-ecr';
import * as eks from 'aws-cdk-lib/aws-eks-v2';
import * as iam from 'aws-cdk-lib/aws-iam';
import { ImagePrefetcher, NodeSelection } from 'cdk-eks-image-prefetcher';

export const app = new App();
export const stack = new Stack(app, 'Gated');

const cluster = new eks.Cluster(stack, 'Cluster', {
  version: eks.KubernetesVersion.V1_34,
  defaultCapacityType: eks.DefaultCapacityType.NODEGROUP,
  defaultCapacity: 0,
});
const nodeRole = new iam.Role(stack, 'NodeRole', {
  assumedBy: new iam.ServicePrincipal('ec2.amazonaws.com'),
  managedPolicies: ['AmazonEKSWorkerNodePolicy', 'AmazonEKS_CNI_Policy', 'AmazonEC2ContainerRegistryPullOnly']
    .map(name => iam.ManagedPolicy.fromAwsManagedPolicyName(name)),
});

const prefetcher = new ImagePrefetcher(stack, 'Prefetcher', {
  cluster,
  // By its name: the node group is made below, from what the prefetcher gives.
  nodes: [NodeSelection.nodegroupNames(['gpu'], { nodeRole })],
  repositories: [new ecr.Repository(stack, 'Training', { repositoryName: 'training' })],
});

const userData = new ec2.MultipartUserData();
prefetcher.addBootGate(userData, { maxWait: Duration.minutes(3), fastImagePull: true });
const launchTemplate = new ec2.LaunchTemplate(stack, 'LaunchTemplate', { userData });

const nodegroup = cluster.addNodegroupCapacity('Gpu', {
  nodegroupName: 'gpu',
  amiType: eks.NodegroupAmiType.AL2023_X86_64_NVIDIA,
  nodeRole,
  launchTemplateSpec: { id: launchTemplate.launchTemplateId!, version: launchTemplate.latestVersionNumber },
});
// Its very first nodes too may list and pull already.
nodegroup.node.addDependency(prefetcher);
