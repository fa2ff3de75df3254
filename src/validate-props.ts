import { Duration, Stack, Token, TokenComparison } from 'aws-cdk-lib';
import { Construct } from 'constructs';
import { ImagePrefetcherProps } from './image-prefetcher-props';

/** Everything that can be seen to be wrong before anything is made, one function a prop. */
export function validateProps(scope: Construct, props: ImagePrefetcherProps): void {
  validateCluster(scope, props);
  validateSomethingSelected(props);
  validateRate('maxConcurrency', props.maxConcurrency, 1);
  validateRate('maxErrors', props.maxErrors, 0);
  validateReconcileEvery(props.reconcileEvery);
  validateTimeout(props.timeout);
  validateWholeNumber('parallelPulls', props.parallelPulls, 1, 16);
  validateWholeNumber('maxDiskUsage', props.maxDiskUsage, 1, 84, ': at 85 the kubelet starts to evict images');
}

function validateCluster(scope: Construct, { cluster }: ImagePrefetcherProps): void {
  const { account, region } = Stack.of(scope);
  if (Token.compareStrings(cluster.env.region, region) === TokenComparison.DIFFERENT) {
    throw new Error(`cluster '${cluster.node.path}' must be in the region of the prefetcher's stack, ${region}, got ${cluster.env.region}: Systems Manager reaches the instances of one region, so create the prefetcher in a stack of the cluster's`);
  }
  if (Token.compareStrings(cluster.env.account, account) === TokenComparison.DIFFERENT) {
    throw new Error(`cluster '${cluster.node.path}' must be in the account of the prefetcher's stack, ${account}, got ${cluster.env.account}: create the prefetcher in a stack of the cluster's account`);
  }
}

function validateSomethingSelected(props: ImagePrefetcherProps): void {
  if (!props.repositories?.length && !props.images?.length) {
    throw new Error('an ImagePrefetcher must have images to prefetch, got none: give repositories or images');
  }
  if (!props.nodegroups?.length && !props.nodes?.length) {
    throw new Error('an ImagePrefetcher must have nodes to prefetch to, got none: give nodegroups or nodes');
  }
  if (props.imageTags && !props.repositories?.length) {
    throw new Error('imageTags filters the tags of repositories, got no repositories: for images give ImageSelection.repository() its own tags');
  }
  if (props.onPush === false && props.onJoin === false) {
    throw new Error('an ImagePrefetcher must run at some moment, got onPush and onJoin both false: leave at least one of them on');
  }
}

function validateRate(prop: string, value: string | undefined, least: number): void {
  if (value === undefined || Token.isUnresolved(value)) return;
  const match = /^(0|[1-9][0-9]{0,6})(%?)$/.exec(value);
  if (!match || Number(match[1]) < least || (match[2] && Number(match[1]) > 100)) {
    throw new Error(`${prop} must be a whole number from ${least}, or a percentage from ${least}% to 100%, got '${value}'`);
  }
}

function validateReconcileEvery(value: Duration | undefined): void {
  if (value === undefined || value.isUnresolved()) return;
  const minutes = value.toMinutes({ integral: false });
  if (!Number.isInteger(minutes) || minutes < 30 || minutes > 31 * 24 * 60) {
    throw new Error(`reconcileEvery must be whole minutes from 30 minutes to 31 days, got ${value.toHumanString()}`);
  }
}

function validateTimeout(value: Duration | undefined): void {
  if (value === undefined || value.isUnresolved()) return;
  const seconds = value.toSeconds({ integral: false });
  if (!Number.isInteger(seconds) || seconds < 60 || seconds > 172_800) {
    throw new Error(`timeout must be from 1 minute to 48 hours, got ${value.toHumanString()}`);
  }
}

function validateWholeNumber(prop: string, value: number | undefined, least: number, most: number, why = ''): void {
  if (value === undefined || Token.isUnresolved(value)) return;
  if (!Number.isInteger(value) || value < least || value > most) {
    throw new Error(`${prop} must be a whole number from ${least} to ${most}, got ${value}${why}`);
  }
}
