import type { Duration } from 'aws-cdk-lib';
import type { AlarmProps, IMetric } from 'aws-cdk-lib/aws-cloudwatch';
import { Alarm, ComparisonOperator, TreatMissingData } from 'aws-cdk-lib/aws-cloudwatch';
import type * as sqs from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import type { AlarmOptions } from './alarm-options';

/** An alarm evaluates one day at most; two intervals are looked at. */
const LONGEST_INTERVAL_HOURS = 12;

export interface AlarmsProps extends AlarmOptions {
  readonly owner: string;
  readonly metric: (name: 'Failures' | 'Refusals' | 'GateTimeouts' | 'Reports', period: Duration) => IMetric;
  readonly atOnce: Duration;
  readonly deadLetterQueue?: sqs.IQueue;
  /** How often each node reports; not at all when not given. */
  readonly reconcileEvery?: Duration;
}

/** What somebody should be told of: each alarm says what it means, and where to look. */
export class Alarms extends Construct {
  public readonly all: Alarm[];

  constructor(scope: Construct, id: string, props: AlarmsProps) {
    super(scope, id);
    const { owner, metric, atOnce, topic } = props;
    const query = (name: string) => `CloudWatch Logs Insights, saved query cdk-eks-image-prefetcher/${owner}/${name}`;
    const alarm = (alarmId: string, alarmProps: Omit<AlarmProps, 'threshold'> & { threshold?: number }) => {
      const made = new Alarm(this, alarmId, { threshold: 1, treatMissingData: TreatMissingData.NOT_BREACHING, ...alarmProps });
      if (topic) {
        const action = { bind: () => ({ alarmActionArn: topic.topicRef.topicArn }) };
        made.addAlarmAction(action);
        made.addOkAction(action);
      }
      return made;
    };
    const seen = { evaluationPeriods: 1, comparisonOperator: ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD };

    this.all = [
      alarm('Failures', {
        ...seen,
        metric: metric('Failures', atOnce),
        alarmDescription: `Nodes could not bring an image that they want, after several tries; the next reconcile tries again. Which, and why: ${query('failures-by-reason')}`,
      }),
      alarm('Refusals', {
        ...seen,
        metric: metric('Refusals', atOnce),
        alarmDescription: `Nodes have no room on their disk for an image that they want, and stay without it until they have: a larger volume, fewer images, or a smaller keep. Which, and how full: ${query('failures-by-reason')}`,
      }),
      alarm('GateTimeouts', {
        ...seen,
        metric: metric('GateTimeouts', atOnce),
        alarmDescription: `Nodes joined before their images were there, because the boot gate's maxWait was over. What they waited for: ${query('what-boot-gates-waited-for')}`,
      }),
    ];
    if (props.deadLetterQueue) {
      this.all.push(alarm('LostPushes', {
        ...seen,
        metric: props.deadLetterQueue.metricApproximateNumberOfMessagesVisible({ period: atOnce, statistic: 'Maximum' }),
        alarmDescription: 'A push to ECR did not become a run: its event is in the dead-letter queue, and the attributes of the message say why. The next reconcile brings the image',
      }));
    }
    const minNodes = props.minNodes ?? 1;
    const every = props.reconcileEvery;
    if (every && minNodes > 0 && !every.isUnresolved() && every.toHours({ integral: false }) <= LONGEST_INTERVAL_HOURS) {
      this.all.push(alarm('MissingReports', {
        metric: metric('Reports', every),
        threshold: minNodes,
        evaluationPeriods: 2,
        comparisonOperator: ComparisonOperator.LESS_THAN_THRESHOLD,
        treatMissingData: TreatMissingData.BREACHING,
        alarmDescription: `Fewer than ${minNodes} reports came in each of the last two intervals: nodes are gone, cannot reach Systems Manager or CloudWatch Logs, or the association does not run`,
      }));
    }
  }
}
