// The three newest release images of a repository, by a tag filter; and the short form with `imageTags`.
import { App, Stack } from 'aws-cdk-lib';
import * as ecr from 'aws-cdk-lib/aws-ecr';
import * as eks from 'aws-cdk-lib/aws-eks-v2';
import { ImagePrefetcher, ImageSelection } from 'cdk-eks-image-prefetcher';

export const app = new App({ context: { '@aws-cdk/aws-eks:defaultToAL2023': true } });
const stack = new Stack(app, 'NewestImages');

const cluster = new eks.Cluster(stack, 'Cluster', {
  version: eks.KubernetesVersion.V1_34,
  defaultCapacityType: eks.DefaultCapacityType.NODEGROUP,
});

new ImagePrefetcher(stack, 'Prefetcher', {
  cluster,
  nodegroups: [cluster.defaultNodegroup!],
  images: [
    // v1.2.0 counts; v1.3.0-rc and latest don't, neither on push nor when a node joins.
    ImageSelection.repository(new ecr.Repository(stack, 'Model'), {
      keep: 3,
      tags: { include: ['v*'], exclude: ['*-rc'] },
    }),
  ],
  // The newest image tagged stable, or anything that ends in -prod, of each of these.
  repositories: [new ecr.Repository(stack, 'Web'), new ecr.Repository(stack, 'Worker')],
  imageTags: ['stable', '*-prod'],
});
