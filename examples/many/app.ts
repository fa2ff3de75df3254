// 300 repositories to 60 node groups in one prefetcher: rules, runbooks and policies are split within AWS's limits.
import { Annotations, App, Stack } from 'aws-cdk-lib';
import * as ecr from 'aws-cdk-lib/aws-ecr';
import * as eks from 'aws-cdk-lib/aws-eks-v2';
import * as iam from 'aws-cdk-lib/aws-iam';
import { ImagePrefetcher, NodeSelection } from 'cdk-eks-image-prefetcher';

export const app = new App();
const stack = new Stack(app, 'Many');

const teams = Array.from({ length: 60 }, (_, index) => `team-${index + 1}`);
const services = teams.flatMap(team => ['api', 'web', 'worker', 'batch', 'model'].map(service => `${team}/${service}`));

new ImagePrefetcher(stack, 'Prefetcher', {
  cluster: eks.Cluster.fromClusterAttributes(stack, 'Cluster', { clusterName: 'production' }),
  nodes: [NodeSelection.nodegroupNames(teams, { nodeRole: iam.Role.fromRoleName(stack, 'NodeRole', 'production-nodes') })],
  repositories: services.map(name => ecr.Repository.fromRepositoryName(stack, name, name)),
});

// The imported role has AmazonSSMManagedInstanceCore already.
Annotations.of(stack).acknowledgeWarning('cdk-eks-image-prefetcher:importedNodeRole');
