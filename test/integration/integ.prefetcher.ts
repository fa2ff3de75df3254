// For those who have an account (docs/integration-tests.md): images reach real EKS nodes on join, by a push and at the boot gate.
import { ExpectedResult, IntegTest } from '@aws-cdk/integ-tests-alpha';
import { App, Duration } from 'aws-cdk-lib';
import { GATED, NodesStack, PLAIN } from './nodes-stack';
import { WAITED_AT_GATE, assertOnNodes, hasImages } from './on-nodes';
import { settleSnapshot } from './snapshot';

const app = new App({ treeMetadata: false, analyticsReporting: false, stackTraces: false });
const stack = new NodesStack(app, 'ImagePrefetcherInteg');
const { assertions } = new IntegTest(app, 'ImagePrefetcher', {
  testCases: [stack],
  // Nodes that have images already would prove nothing.
  stackUpdateWorkflow: false,
});

const everyNode = { 'eks:cluster-name': stack.clusterName };
const gatedNode = { ...everyNode, 'eks:nodegroup-name': GATED };

const scale = (nodegroupName: string, desiredSize: number) => assertions.awsApiCall('EKS', 'updateNodegroupConfig', {
  clusterName: stack.clusterName, nodegroupName, scalingConfig: { minSize: 0, maxSize: 2, desiredSize },
});
const reported = (moment: 'reconcile' | 'push' | 'gate', image: string) => assertions.awsApiCall('CloudWatchLogs', 'filterLogEvents', {
  logGroupName: stack.logGroupName,
  filterPattern: `{ $.moment = "${moment}" && $.image = "${image}" && ($.outcome = "pulled" || $.outcome = "present") }`,
}).assertAtPath('events.0.message.moment', ExpectedResult.stringLikeRegexp(moment)).waitForAssertions({ totalTimeout: Duration.minutes(10), interval: Duration.seconds(15) });

const steps = [
  ...assertOnNodes(assertions, 1, everyNode, hasImages(stack.fixedImage)),
  reported('reconcile', stack.fixedImage),
  // A push.
  assertions.awsApiCall('SFN', 'startExecution', { stateMachineArn: stack.push.stateMachineArn }),
  reported('push', stack.push.image),
  ...assertOnNodes(assertions, 1, everyNode, hasImages(stack.fixedImage, stack.push.image)),
  // Two more nodes, of which one waits at its boot gate.
  scale(PLAIN, 2),
  scale(GATED, 1),
  ...assertOnNodes(assertions, 3, everyNode, hasImages(stack.fixedImage, stack.push.image)),
  reported('gate', stack.fixedImage),
  ...assertOnNodes(assertions, 1, gatedNode, WAITED_AT_GATE),
  // The repository is CDK's own and stays.
  assertions.awsApiCall('ECR', 'batchDeleteImage', { repositoryName: stack.push.repository.repositoryName, imageIds: [{ imageTag: stack.push.tag }] }),
];
for (const [index, step] of steps.entries()) {
  if (index > 0) {
    steps[index - 1].next(step);
  }
}

settleSnapshot(app);
