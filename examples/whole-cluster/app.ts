// Every EC2 node of a cluster: managed node groups, self-managed and Karpenter nodes.
import { App, Stack } from 'aws-cdk-lib';
import * as ecr from 'aws-cdk-lib/aws-ecr';
import * as eks from 'aws-cdk-lib/aws-eks-v2';
import { ImagePrefetcher, NodeSelection } from 'cdk-eks-image-prefetcher';

export const app = new App({ context: { '@aws-cdk/aws-eks:defaultToAL2023': true } });
const stack = new Stack(app, 'WholeCluster');

const cluster = new eks.Cluster(stack, 'Cluster', {
  version: eks.KubernetesVersion.V1_34,
  defaultCapacityType: eks.DefaultCapacityType.NODEGROUP,
});

new ImagePrefetcher(stack, 'Prefetcher', {
  cluster,
  // Which roles the nodes of a whole cluster have cannot be seen from here.
  nodes: [NodeSelection.cluster({ nodeRole: cluster.defaultNodegroup!.role })],
  repositories: [new ecr.Repository(stack, 'Base')],
});
