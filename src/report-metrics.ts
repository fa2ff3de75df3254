import type { MetricOptions } from 'aws-cdk-lib/aws-cloudwatch';
import { Metric, Stats, Unit } from 'aws-cdk-lib/aws-cloudwatch';
import type { ILogGroup } from 'aws-cdk-lib/aws-logs';
import { FilterPattern, MetricFilter } from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';
import { shown, validateOptions } from './validate-kind';

const NAMESPACE = 'EksImagePrefetcher';

/** The only dimension: one for each node would cost 0.30 USD a month and node. */
const DIMENSION = 'Prefetcher';

/** A metric that CloudWatch Logs makes of the lines of reports (docs/monitoring.md has their fields). */
interface ReportMetric {
  /** Which lines count, each condition in the language of metric filters; besides, they must be this prefetcher's. */
  readonly lines: ReportLines[];
  /** The field that is measured; lines are counted when it is not given. */
  readonly field?: string;
  readonly unit: Unit;
  /** How values of several lines make one, unless the reader says otherwise. */
  readonly statistic: string;
}

interface ReportLines {
  /** Whether the summaries of runs are meant, or the lines of images. */
  readonly of: 'image' | 'run';
  readonly where: string;
}

const image = (where: string): ReportLines => ({ of: 'image', where });
const run = (where: string): ReportLines => ({ of: 'run', where });
const PULLED = '$.outcome = "pulled"';
const OF_GATE = '$.summary.moment = "gate"';

/** Every metric by its name. */
export const REPORT_METRICS = {
  Pulls: { lines: [image(PULLED)], unit: Unit.COUNT, statistic: Stats.SUM },
  PulledBytes: { lines: [image(`${PULLED} && $.bytes >= 0`)], field: '$.bytes', unit: Unit.BYTES, statistic: Stats.SUM },
  PullSeconds: { lines: [image(`${PULLED} && $.seconds >= 0`)], field: '$.seconds', unit: Unit.SECONDS, statistic: Stats.AVERAGE },
  PushToCachedSeconds: { lines: [image('$.pushToCachedSeconds >= 0')], field: '$.pushToCachedSeconds', unit: Unit.SECONDS, statistic: Stats.MAXIMUM },
  Failures: { lines: [image('$.outcome = "failed"'), run('$.summary.error = "*"')], unit: Unit.COUNT, statistic: Stats.SUM },
  Refusals: { lines: [image('$.outcome = "refused"')], unit: Unit.COUNT, statistic: Stats.SUM },
  GateWaitSeconds: { lines: [run(`${OF_GATE} && $.summary.seconds >= 0`)], field: '$.summary.seconds', unit: Unit.SECONDS, statistic: Stats.MAXIMUM },
  GateTimeouts: {
    lines: [run(`${OF_GATE} && $.summary.timedOut IS TRUE`), run(`${OF_GATE} && $.summary.outcome = "interrupted"`)], unit: Unit.COUNT, statistic: Stats.SUM,
  },
  Reports: { lines: [run('$.summary.moment = "*"')], unit: Unit.COUNT, statistic: Stats.SUM },
} satisfies { [name: string]: ReportMetric };

export type ReportMetricName = keyof typeof REPORT_METRICS;

/**
 * Publishes the metrics: nothing runs for it, and a metric costs something only in hours in which it has values.
 *
 * @see https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
 */
export class ReportMetrics extends Construct {
  constructor(scope: Construct, id: string, logGroup: ILogGroup, owner: string) {
    super(scope, id);

    for (const [metricName, { lines, field, unit }] of Object.entries<ReportMetric>(REPORT_METRICS)) {
      for (const [index, { of, where }] of lines.entries()) {
        const ownerField = of === 'image' ? '$.owner' : '$.summary.owner';
        new MetricFilter(this, index === 0 ? metricName : `${metricName}${index + 1}`, {
          logGroup,
          filterPattern: FilterPattern.literal(`{ ${ownerField} = "${owner}" && ${where} }`),
          metricNamespace: NAMESPACE,
          metricName,
          metricValue: field ?? '1',
          unit,
          dimensions: { [DIMENSION]: ownerField },
        });
      }
    }
  }
}

/** One of the metrics. */
export function reportMetric(owner: string, metricName: string, options: MetricOptions): Metric {
  const names = Object.keys(REPORT_METRICS);
  if (!names.includes(metricName)) {
    throw new Error(`a metric of an ImagePrefetcher must be one of ${names.join(', ')}, got ${shown(metricName)}`);
  }
  validateOptions('a metric', options);
  const known: ReportMetric = REPORT_METRICS[metricName as ReportMetricName];
  return new Metric({ namespace: NAMESPACE, metricName, dimensionsMap: { [DIMENSION]: owner }, statistic: known.statistic, ...options });
}
