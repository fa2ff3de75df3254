// Docker Hub images through ECR's pull-through cache: the nodes may be the first to ask for them.
import { App, ArnFormat, Stack } from 'aws-cdk-lib';
import * as ecr from 'aws-cdk-lib/aws-ecr';
import * as eks from 'aws-cdk-lib/aws-eks-v2';
import { ImagePrefetcher, ImageSelection } from 'cdk-eks-image-prefetcher';

export const app = new App({ context: { '@aws-cdk/aws-eks:defaultToAL2023': true } });
const stack = new Stack(app, 'PullThroughCache');

const cluster = new eks.Cluster(stack, 'Cluster', {
  version: eks.KubernetesVersion.V1_34,
  defaultCapacityType: eks.DefaultCapacityType.NODEGROUP,
});

const cache = new ecr.CfnPullThroughCacheRule(stack, 'DockerHub', {
  ecrRepositoryPrefix: 'docker-hub',
  upstreamRegistryUrl: 'registry-1.docker.io',
  // Docker Hub takes no anonymous caches: the secret holds user name and access token.
  credentialArn: stack.formatArn({ service: 'secretsmanager', resource: 'secret', resourceName: 'ecr-pullthroughcache/docker-hub-AbCdEf', arnFormat: ArnFormat.COLON_RESOURCE_NAME }),
});

const prefetcher = new ImagePrefetcher(stack, 'Prefetcher', {
  cluster,
  nodegroups: [cluster.defaultNodegroup!],
  images: [
    ImageSelection.pullThroughCache('docker-hub/library/postgres', '17'),
    ImageSelection.pullThroughCache('docker-hub/grafana/grafana', '12.0.0'),
  ],
});
prefetcher.node.addDependency(cache);
