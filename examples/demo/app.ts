// What `npm run demo` deploys: one cluster with two node groups, of which one is prefetched and gated, and two repositories.
import { App, Stack } from 'aws-cdk-lib';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import * as ecr from 'aws-cdk-lib/aws-ecr';
import * as eks from 'aws-cdk-lib/aws-eks-v2';
import * as iam from 'aws-cdk-lib/aws-iam';
import { ImagePrefetcher, NodeLimit, NodeSelection } from 'cdk-eks-image-prefetcher';

export const app = new App();
export const stack = new Stack(app, 'Demo');

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
const training = new ecr.Repository(stack, 'Training', { repositoryName: 'training' });
const inference = new ecr.Repository(stack, 'Inference', { repositoryName: 'inference' });

const prefetcher = new ImagePrefetcher(stack, 'Prefetcher', {
  cluster,
  nodes: [NodeSelection.nodegroupNames(['gpu'], { nodeRole })],
  repositories: [training, inference],
  maxConcurrency: NodeLimit.percent(100),
});

prefetcher.addAlarms();
prefetcher.addDashboard();

const userData = new ec2.MultipartUserData();
prefetcher.addBootGate(userData);
const launchTemplate = new ec2.LaunchTemplate(stack, 'LaunchTemplate', { userData });

const gpuNodes = cluster.addNodegroupCapacity('Gpu', {
  nodegroupName: 'gpu',
  nodeRole,
  launchTemplateSpec: { id: launchTemplate.launchTemplateId!, version: launchTemplate.latestVersionNumber },
});
// The very first nodes too may list and pull already.
gpuNodes.node.addDependency(prefetcher);
cluster.addNodegroupCapacity('Web', { nodegroupName: 'web' });
