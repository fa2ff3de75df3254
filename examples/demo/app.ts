// What `npm run demo` deploys: one cluster with two node groups, of which one is prefetched, and two repositories.
import { App, Stack } from 'aws-cdk-lib';
import * as ecr from 'aws-cdk-lib/aws-ecr';
import * as eks from 'aws-cdk-lib/aws-eks-v2';
import { ImagePrefetcher } from 'cdk-eks-image-prefetcher';

export const app = new App();
export const stack = new Stack(app, 'Demo');

const cluster = new eks.Cluster(stack, 'Cluster', {
  version: eks.KubernetesVersion.V1_34,
  defaultCapacityType: eks.DefaultCapacityType.NODEGROUP,
  defaultCapacity: 0,
});
const gpuNodes = cluster.addNodegroupCapacity('Gpu');
cluster.addNodegroupCapacity('Web');

const training = new ecr.Repository(stack, 'Training', { repositoryName: 'training' });
const inference = new ecr.Repository(stack, 'Inference', { repositoryName: 'inference' });

new ImagePrefetcher(stack, 'Prefetcher', {
  cluster,
  nodegroups: [gpuNodes],
  repositories: [training, inference],
  maxConcurrency: '100%',
});
