// Self-managed nodes of an existing cluster: every node of it, by the tag that they must carry to join.
import { Annotations, App, Stack } from 'aws-cdk-lib';
import * as ecr from 'aws-cdk-lib/aws-ecr';
import * as eks from 'aws-cdk-lib/aws-eks-v2';
import * as iam from 'aws-cdk-lib/aws-iam';
import { ImagePrefetcher, NodeSelection } from 'cdk-eks-image-prefetcher';

export const app = new App();
const stack = new Stack(app, 'SelfManaged');

new ImagePrefetcher(stack, 'Prefetcher', {
  cluster: eks.Cluster.fromClusterAttributes(stack, 'Cluster', { clusterName: 'production' }),
  nodes: [NodeSelection.cluster({ nodeRole: iam.Role.fromRoleName(stack, 'NodeRole', 'production-nodes') })],
  repositories: [ecr.Repository.fromRepositoryName(stack, 'Training', 'team/training')],
});

// The imported role has AmazonSSMManagedInstanceCore already.
Annotations.of(stack).acknowledgeWarning('cdk-eks-image-prefetcher:importedNodeRole');
