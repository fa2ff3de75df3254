// Two clusters in one account, with node groups of the same name: each prefetcher reaches the nodes of its own cluster only.
import { App, Stack } from 'aws-cdk-lib';
import * as ecr from 'aws-cdk-lib/aws-ecr';
import * as eks from 'aws-cdk-lib/aws-eks-v2';
import { ImagePrefetcher } from 'cdk-eks-image-prefetcher';

export const app = new App();
const stack = new Stack(app, 'TwoClusters');

const trainingRepo = new ecr.Repository(stack, 'Training');

for (const name of ['Blue', 'Green']) {
  const cluster = new eks.Cluster(stack, name, {
    version: eks.KubernetesVersion.V1_34,
    defaultCapacityType: eks.DefaultCapacityType.NODEGROUP,
    defaultCapacity: 0,
  });
  const nodes = cluster.addNodegroupCapacity('Nodes', { nodegroupName: 'training' });

  new ImagePrefetcher(stack, `${name}Prefetcher`, {
    cluster,
    nodegroups: [nodes],
    repositories: [trainingRepo],
  });
}
