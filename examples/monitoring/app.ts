// Be told when something is wrong, see how it goes, and let a pipeline wait until the nodes have an image.
import { App, Stack } from 'aws-cdk-lib';
import * as ecr from 'aws-cdk-lib/aws-ecr';
import * as eks from 'aws-cdk-lib/aws-eks-v2';
import { SnsTopic } from 'aws-cdk-lib/aws-events-targets';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as kms from 'aws-cdk-lib/aws-kms';
import * as sns from 'aws-cdk-lib/aws-sns';
import { ImagePrefetcher } from 'cdk-eks-image-prefetcher';

export const app = new App({ context: { '@aws-cdk/aws-eks:defaultToAL2023': true } });
const stack = new Stack(app, 'Monitoring');

const cluster = new eks.Cluster(stack, 'Cluster', {
  version: eks.KubernetesVersion.V1_34,
  defaultCapacityType: eks.DefaultCapacityType.NODEGROUP,
});
const prefetcher = new ImagePrefetcher(stack, 'Prefetcher', {
  cluster,
  nodegroups: [cluster.defaultNodegroup!],
  repositories: [new ecr.Repository(stack, 'Training')],
});

// Who is on call: alarms with what they mean and the query to open.
const key = new kms.Key(stack, 'Key', { enableKeyRotation: true });
const topic = new sns.Topic(stack, 'OnCall', { masterKey: key, enforceSSL: true });
for (const service of ['cloudwatch.amazonaws.com', 'events.amazonaws.com']) {
  // A topic with a policy of its own lets alarms in only when it says so, and so does the key.
  topic.grantPublish(new iam.ServicePrincipal(service));
  key.grantEncryptDecrypt(new iam.ServicePrincipal(service));
}
prefetcher.addAlarms({ topic, minNodes: 2 });
prefetcher.addDashboard();

// Every node on which a run ended badly, as it happens.
prefetcher.onRunFailed('RunFailed', { target: new SnsTopic(topic) });

// A deployment goes on when the nodes have the image (the README has the commands).
const pipeline = new iam.Role(stack, 'Pipeline', { assumedBy: new iam.ServicePrincipal('codebuild.amazonaws.com') });
prefetcher.grants.start(pipeline);
