// Images of another account, whose ECR events are forwarded to an event bus of the cluster's account.
import { App, Stack } from 'aws-cdk-lib';
import * as ecr from 'aws-cdk-lib/aws-ecr';
import * as eks from 'aws-cdk-lib/aws-eks-v2';
import * as events from 'aws-cdk-lib/aws-events';
import * as targets from 'aws-cdk-lib/aws-events-targets';
import * as iam from 'aws-cdk-lib/aws-iam';
import { ImagePrefetcher, ImageSelection } from 'cdk-eks-image-prefetcher';

const buildAccount = { account: '111122223333', region: 'eu-central-1' };
const clusterAccount = { account: '444455556666', region: 'eu-central-1' };

export const app = new App({ context: { '@aws-cdk/aws-eks:defaultToAL2023': true } });

// The cluster's account: an event bus that takes events of the build account, and the prefetcher that listens to it.
const clusterStack = new Stack(app, 'CrossAccountCluster', { env: clusterAccount });
const cluster = new eks.Cluster(clusterStack, 'Cluster', {
  version: eks.KubernetesVersion.V1_34,
  defaultCapacityType: eks.DefaultCapacityType.NODEGROUP,
});
const pushes = new events.EventBus(clusterStack, 'Pushes', { eventBusName: 'ecr-pushes' });
pushes.addToResourcePolicy(new iam.PolicyStatement({
  sid: 'BuildAccount',
  principals: [new iam.AccountPrincipal(buildAccount.account)],
  actions: ['events:PutEvents'],
  resources: [pushes.eventBusArn],
}));

const repository = ecr.Repository.fromRepositoryArn(clusterStack, 'Training',
  `arn:aws:ecr:${buildAccount.region}:${buildAccount.account}:repository/team/training`);

new ImagePrefetcher(clusterStack, 'Prefetcher', {
  cluster,
  nodegroups: [cluster.defaultNodegroup!],
  images: [ImageSelection.repository(repository)],
  eventBus: pushes,
});

// The build account: lets the cluster's account pull and list, and forwards the pushes.
const buildStack = new Stack(app, 'CrossAccountBuild', { env: buildAccount });
const owned = new ecr.Repository(buildStack, 'Training', { repositoryName: 'team/training' });
owned.addToResourcePolicy(new iam.PolicyStatement({
  principals: [new iam.AccountPrincipal(clusterAccount.account)],
  actions: ['ecr:BatchCheckLayerAvailability', 'ecr:BatchGetImage', 'ecr:DescribeImages', 'ecr:GetDownloadUrlForLayer'],
}));
new events.Rule(buildStack, 'Forward', {
  eventPattern: { source: ['aws.ecr'], detail: { 'repository-name': ['team/training'] } },
  targets: [new targets.EventBus(events.EventBus.fromEventBusArn(buildStack, 'ClusterAccount',
    `arn:aws:events:${clusterAccount.region}:${clusterAccount.account}:event-bus/ecr-pushes`))],
});
