// Fixed images: an ECR tag or digest, images of public registries, and an image that this app builds.
import { join } from 'node:path';
import { App, Stack } from 'aws-cdk-lib';
import * as ecr from 'aws-cdk-lib/aws-ecr';
import { DockerImageAsset } from 'aws-cdk-lib/aws-ecr-assets';
import * as eks from 'aws-cdk-lib/aws-eks-v2';
import { ImagePrefetcher, ImageSelection } from 'cdk-eks-image-prefetcher';

export const app = new App({ context: { '@aws-cdk/aws-eks:defaultToAL2023': true } });
const stack = new Stack(app, 'FixedImages');

const cluster = new eks.Cluster(stack, 'Cluster', {
  version: eks.KubernetesVersion.V1_34,
  defaultCapacityType: eks.DefaultCapacityType.NODEGROUP,
});
const repository = new ecr.Repository(stack, 'Inference');

new ImagePrefetcher(stack, 'Prefetcher', {
  cluster,
  nodegroups: [cluster.defaultNodegroup!],
  // In order of priority: when the disk gets tight, the first ones stay.
  images: [
    // Pushed again, this tag is pulled again.
    ImageSelection.tag(repository, 'stable'),
    ImageSelection.digest(repository, 'sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08'),
    ImageSelection.dockerImageAsset(new DockerImageAsset(stack, 'Sidecar', { directory: join(__dirname, 'sidecar') })),
    // Named as a pod spec names them.
    ImageSelection.registry('public.ecr.aws/eks-distro/kubernetes/pause:3.10'),
    ImageSelection.registry('quay.io/prometheus/node-exporter:v1.9.1'),
    ImageSelection.registry('ghcr.io/fluxcd/source-controller:v1.6.0'),
    ImageSelection.registry('busybox:1.36'),
  ],
});
