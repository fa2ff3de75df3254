// The deprecated @aws-cdk/aws-eks-v2-alpha: its constructs don't implement the interfaces of today, so they are named.
import * as alpha from '@aws-cdk/aws-eks-v2-alpha';
import { App, Stack } from 'aws-cdk-lib';
import * as ecr from 'aws-cdk-lib/aws-ecr';
import * as eks from 'aws-cdk-lib/aws-eks';
import { ImagePrefetcher, NodeSelection } from 'cdk-eks-image-prefetcher';

export const app = new App();
const stack = new Stack(app, 'DeprecatedAlpha');

const alphaCluster = new alpha.Cluster(stack, 'AlphaCluster', {
  version: alpha.KubernetesVersion.V1_32,
  defaultCapacityType: alpha.DefaultCapacityType.NODEGROUP,
  defaultCapacity: 0,
});
const alphaNodes = alphaCluster.addNodegroupCapacity('Nodes', { nodegroupName: 'training' });

new ImagePrefetcher(stack, 'Prefetcher', {
  cluster: eks.CfnCluster.fromClusterName(stack, 'Cluster', alphaCluster.clusterName),
  nodes: [NodeSelection.nodegroupNames(['training'], { nodeRole: alphaNodes.role })],
  repositories: [new ecr.Repository(stack, 'Training')],
});
