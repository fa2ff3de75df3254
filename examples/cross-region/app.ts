// Images of another region. Its push events stay there: they arrive when a node joins, and at every reconcile.
import { Annotations, App, Stack } from 'aws-cdk-lib';
import * as ecr from 'aws-cdk-lib/aws-ecr';
import * as eks from 'aws-cdk-lib/aws-eks-v2';
import { ImagePrefetcher, ImageSelection } from 'cdk-eks-image-prefetcher';

const account = '111122223333';

export const app = new App({ context: { '@aws-cdk/aws-eks:defaultToAL2023': true } });
const stack = new Stack(app, 'CrossRegion', { env: { account, region: 'eu-west-1' } });

const cluster = new eks.Cluster(stack, 'Cluster', {
  version: eks.KubernetesVersion.V1_34,
  defaultCapacityType: eks.DefaultCapacityType.NODEGROUP,
});
const repository = ecr.Repository.fromRepositoryArn(stack, 'Training', `arn:aws:ecr:us-east-1:${account}:repository/team/training`);

const prefetcher = new ImagePrefetcher(stack, 'Prefetcher', {
  cluster,
  nodegroups: [cluster.defaultNodegroup!],
  images: [ImageSelection.repository(repository, { keep: 2 })],
});
// We know, and half an hour is soon enough.
Annotations.of(prefetcher).acknowledgeWarning('cdk-eks-image-prefetcher:noPushEvents');
