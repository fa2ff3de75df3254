// A repository that ECR replicates from another region: each replicated image goes to the nodes as a pushed one does.
import { App, Stack } from 'aws-cdk-lib';
import * as ecr from 'aws-cdk-lib/aws-ecr';
import * as eks from 'aws-cdk-lib/aws-eks-v2';
import { ImagePrefetcher } from 'cdk-eks-image-prefetcher';

const account = '111122223333';

export const app = new App({ context: { '@aws-cdk/aws-eks:defaultToAL2023': true } });

// Where images are pushed.
const source = new Stack(app, 'ReplicatedRepositorySource', { env: { account, region: 'us-east-1' } });
new ecr.Repository(source, 'Training', { repositoryName: 'team/training' });
new ecr.CfnReplicationConfiguration(source, 'Replication', {
  replicationConfiguration: {
    rules: [{
      destinations: [{ region: 'eu-west-1', registryId: account }],
      repositoryFilters: [{ filter: 'team/', filterType: 'PREFIX_MATCH' }],
    }],
  },
});

// Where the nodes are: they pull from their own region.
const stack = new Stack(app, 'ReplicatedRepository', { env: { account, region: 'eu-west-1' } });
const cluster = new eks.Cluster(stack, 'Cluster', {
  version: eks.KubernetesVersion.V1_34,
  defaultCapacityType: eks.DefaultCapacityType.NODEGROUP,
});

new ImagePrefetcher(stack, 'Prefetcher', {
  cluster,
  nodegroups: [cluster.defaultNodegroup!],
  repositories: [ecr.Repository.fromRepositoryName(stack, 'Training', 'team/training')],
});
