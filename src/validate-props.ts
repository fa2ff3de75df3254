import type { Duration } from 'aws-cdk-lib';
import { Annotations, Stack, Token, TokenComparison } from 'aws-cdk-lib';
import type { aws_sqs, IEnvironmentAware } from 'aws-cdk-lib/interfaces';
import type { IConstruct } from 'constructs';
import { validateCluster } from './eks-cluster';
import { validateNodegroups } from './eks-nodegroup';
import type { ImagePrefetcherProps } from './image-prefetcher-props';
import type { NodeLimit } from './node-limit';
import { ifGiven, shown, validateDuration, validateFlag, validateKind, validateObject } from './validate-kind';
import { validateList } from './validate-list';

/** Everything that can be seen to be wrong before anything is made, one function a prop. */
export function validateProps(scope: IConstruct, props: ImagePrefetcherProps): void {
  const of = (prop: string) => `${prop} of '${scope.node.path}'`;
  validateObject(of('props'), props, 'give cluster, the images and the nodes');
  validateKinds(of, props);
  validateCluster(props.cluster);
  validatePlace(scope, 'cluster', props.cluster, 'Systems Manager reaches the instances of one region, so create the prefetcher in a stack of the cluster\'s');
  if (props.logGroup) {
    validatePlace(scope, 'logGroup', props.logGroup, 'nodes write to CloudWatch Logs of their own region');
  }
  if (props.eventBus) {
    validatePlace(scope, 'eventBus', props.eventBus, 'a rule is on a bus of its own account and region, to which those of others forward their events');
  }
  if (props.deadLetterQueue) {
    // One of another account may let EventBridge send to it.
    validatePlace(scope, 'deadLetterQueue', props.deadLetterQueue, 'EventBridge delivers to queues of the region of a rule', ['region']);
    validateStandardQueue(props.deadLetterQueue);
  }
  validateSomethingSelected(scope, props);
  validateMaxConcurrency(of('maxConcurrency'), props.maxConcurrency);
  validateReconcileEvery(of('reconcileEvery'), props.reconcileEvery);
  validateTimeout(scope, of('timeout'), props);
  validateWholeNumber(of('parallelPulls'), props.parallelPulls, 1, 16);
  validateWholeNumber(of('maxDiskUsage'), props.maxDiskUsage, 1, 84, ': at 85 the kubelet starts to evict images');
}

/** That each prop is what it says. */
function validateKinds(of: (prop: string) => string, props: ImagePrefetcherProps): void {
  for (const prop of ['nodes', 'repositories', 'imageTags', 'images'] as const) {
    ifGiven<unknown>(props[prop]).forEach(list => validateList(of(prop), list));
  }
  ifGiven(props.nodegroups).forEach(list => validateNodegroups(of('nodegroups'), list));
  for (const prop of ['pinImages', 'prefetchOnPush', 'reconcile'] as const) {
    validateFlag(of(prop), props[prop]);
  }
  for (const prop of ['reconcileEvery', 'timeout'] as const) {
    validateDuration(of(prop), props[prop]);
  }
  validateKind(of('cluster'), 'a cluster', 'clusterRef', [props.cluster], 'one that is known by name is eks.CfnCluster.fromClusterName(scope, id, name) of aws-eks');
  validateKind(of('nodes'), 'NodeSelections', '_bind', props.nodes ?? [], 'see the factories of NodeSelection');
  validateKind(of('repositories'), 'ECR repositories', 'repositoryRef', props.repositories ?? [], 'one that is known by name is ecr.Repository.fromRepositoryName(scope, id, name)');
  validateKind(of('images'), 'ImageSelections', '_bind', props.images ?? [], 'an image by its name is ImageSelection.registry(name)');
  validateKind(of('maxConcurrency'), 'a NodeLimit', '_render', ifGiven(props.maxConcurrency), 'give NodeLimit.nodes() or NodeLimit.percent()');
  validateKind(of('maxErrors'), 'a NodeLimit', '_render', ifGiven(props.maxErrors), 'give NodeLimit.nodes() or NodeLimit.percent()');
  validateKind(of('logGroup'), 'a log group', 'logGroupRef', ifGiven(props.logGroup), 'one that is known by name is logs.LogGroup.fromLogGroupName(scope, id, name)');
  validateKind(of('deadLetterQueue'), 'a queue', 'queueRef', ifGiven(props.deadLetterQueue), 'one that is known by its ARN is sqs.Queue.fromQueueArn(scope, id, arn)');
  validateKind(of('eventBus'), 'an event bus', 'eventBusRef', ifGiven(props.eventBus), 'one that is known by name is events.EventBus.fromEventBusName(scope, id, name)');
}

/** A construct that must be where the prefetcher is. */
function validatePlace(scope: IConstruct, prop: string, construct: IEnvironmentAware & IConstruct, why: string, parts: ('region' | 'account')[] = ['region', 'account']): void {
  const stack = Stack.of(scope);
  for (const part of parts) {
    if (Token.compareStrings(construct.env[part], stack[part]) === TokenComparison.DIFFERENT) {
      throw new Error(`${prop} '${construct.node.path}' must be in the ${part} of the stack of '${scope.node.path}', ${stack[part]}, got ${construct.env[part]}${part === 'region' ? `: ${why}` : ''}`);
    }
  }
}

/** https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html */
function validateStandardQueue(queue: aws_sqs.IQueueRef): void {
  const { fifo, fifoQueue, queueName = '' } = queue as { fifo?: unknown; fifoQueue?: unknown; queueName?: string };
  if (fifo === true || fifoQueue === true || [queueName, queue.queueRef.queueArn].some(name => name.endsWith('.fifo'))) {
    throw new Error(`deadLetterQueue '${queue.node.path}' must be a standard queue, got a FIFO queue: EventBridge delivers to no other`);
  }
}

function validateSomethingSelected(scope: IConstruct, props: ImagePrefetcherProps): void {
  const prefetcher = `'${scope.node.path}'`;
  if (!props.repositories?.length && !props.images?.length) {
    throw new Error(`${prefetcher} must have images to prefetch, got none: give repositories or images`);
  }
  if (!props.nodegroups?.length && !props.nodes?.length) {
    throw new Error(`${prefetcher} must have nodes to prefetch to, got none: give nodegroups or nodes`);
  }
  if (props.imageTags && !props.repositories?.length) {
    throw new Error(`imageTags of ${prefetcher} filters the tags of repositories, got no repositories: for images give ImageSelection.repository() its own tags`);
  }
  if (props.prefetchOnPush === false && props.reconcile === false) {
    throw new Error(`${prefetcher} must run at some moment, got prefetchOnPush and reconcile both false: leave at least one of them on`);
  }
}

function validateMaxConcurrency(what: string, value: NodeLimit | undefined): void {
  if (value?._isZero) {
    throw new Error(`${what} must be at least NodeLimit.nodes(1) or NodeLimit.percent(1), got 0: to start nothing on a push, set prefetchOnPush to false`);
  }
}

function validateReconcileEvery(what: string, value: Duration | undefined): void {
  if (value === undefined || value.isUnresolved()) {
    return;
  }
  const minutes = value.toMinutes({ integral: false });
  if (!Number.isInteger(minutes) || minutes < 30 || minutes > 31 * 24 * 60) {
    throw new Error(`${what} must be whole minutes from 30 minutes to 31 days, got ${value.toHumanString()}`);
  }
}

function validateTimeout(scope: IConstruct, what: string, { timeout, reconcile }: ImagePrefetcherProps): void {
  if (timeout === undefined || timeout.isUnresolved()) {
    return;
  }
  const seconds = timeout.toSeconds({ integral: false });
  if (!Number.isInteger(seconds) || seconds < 60 || seconds > 172_800) {
    throw new Error(`${what} must be from 1 minute to 48 hours, got ${timeout.toHumanString()}`);
  }
  if (seconds > 2 * 3600 && reconcile !== false) {
    Annotations.of(scope).addWarningV2('cdk-eks-image-prefetcher:longTimeout',
      `${what} is ${timeout.toHumanString()}, and State Manager reports a run of more than 2 hours as stuck: choose 2 hours or less; what is missing by then comes with the next reconcile`);
  }
}

function validateWholeNumber(what: string, value: number | undefined, least: number, most: number, why = ''): void {
  if (value === undefined || Token.isUnresolved(value)) {
    return;
  }
  if (!Number.isInteger(value) || value < least || value > most) {
    throw new Error(`${what} must be a whole number from ${least} to ${most}, got ${shown(value)}${why}`);
  }
}
