// The nodes of Karpenter node pools: they get the images within seconds of joining.
import { App, Stack } from 'aws-cdk-lib';
import * as ecr from 'aws-cdk-lib/aws-ecr';
import * as eks from 'aws-cdk-lib/aws-eks-v2';
import * as iam from 'aws-cdk-lib/aws-iam';
import { ImagePrefetcher, ImageSelection, NodeSelection } from 'cdk-eks-image-prefetcher';

export const app = new App();
const stack = new Stack(app, 'Karpenter');

const cluster = new eks.Cluster(stack, 'Cluster', {
  version: eks.KubernetesVersion.V1_34,
  defaultCapacityType: eks.DefaultCapacityType.NODEGROUP,
});
// The role that the EC2NodeClass names.
const karpenterNodes = new iam.Role(stack, 'KarpenterNodes', {
  assumedBy: new iam.ServicePrincipal('ec2.amazonaws.com'),
  managedPolicies: ['AmazonEKSWorkerNodePolicy', 'AmazonEKS_CNI_Policy', 'AmazonEC2ContainerRegistryPullOnly']
    .map(name => iam.ManagedPolicy.fromAwsManagedPolicyName(name)),
});

new ImagePrefetcher(stack, 'Prefetcher', {
  cluster,
  nodes: [NodeSelection.karpenterNodePools(['gpu', 'spot'], { nodeRole: karpenterNodes })],
  images: [ImageSelection.repository(new ecr.Repository(stack, 'Model'), { keep: 2 })],
});
