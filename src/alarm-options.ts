import type { aws_sns } from 'aws-cdk-lib/interfaces';

/** Options of `ImagePrefetcher.addAlarms()`. */
export interface AlarmOptions {
  /**
   * The SNS topic that is told when an alarm goes off, and when it is over.
   *
   * @default - nobody is told; the alarms show in the console
   */
  readonly topic?: aws_sns.ITopicRef;

  /**
   * Of how many nodes at least one report must come in each `reconcileEvery`, from 0 (none need to: a cluster that scales to zero) to 1,000,000.
   *
   * @default 1
   */
  readonly minNodes?: number;
}
