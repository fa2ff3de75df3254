// The China and GovCloud partitions: host names, ARNs and service principals follow the stack's region.
import { App, Stack } from 'aws-cdk-lib';
import * as ecr from 'aws-cdk-lib/aws-ecr';
import * as eks from 'aws-cdk-lib/aws-eks-v2';
import { ImagePrefetcher, ImageSelection } from 'cdk-eks-image-prefetcher';

export const app = new App({ context: { '@aws-cdk/aws-eks:defaultToAL2023': true } });

for (const region of ['cn-north-1', 'us-gov-west-1']) {
  const stack = new Stack(app, `Partitions-${region}`, { env: { account: '111122223333', region } });
  const cluster = new eks.Cluster(stack, 'Cluster', {
    version: eks.KubernetesVersion.V1_34,
    defaultCapacityType: eks.DefaultCapacityType.NODEGROUP,
  });

  new ImagePrefetcher(stack, 'Prefetcher', {
    cluster,
    nodegroups: [cluster.defaultNodegroup!],
    repositories: [new ecr.Repository(stack, 'Training')],
    images: [ImageSelection.registry('quay.io/prometheus/node-exporter:v1.9.1')],
  });
}
