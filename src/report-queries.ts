import { CfnQueryDefinition } from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';

/**
 * Questions about the reports, in the language of CloudWatch Logs Insights, without the line that picks one prefetcher's. Each instance has
 * a log stream of its own name.
 *
 * @see https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_QuerySyntax.html
 */
export const REPORT_QUERIES = {
  'which-node-has-which-image': [
    'filter ispresent(image)',
    'stats latest(outcome) as state, latest(digest) as imageDigest, max(@timestamp) as since by @logStream, image',
    'filter state in ["pulled", "present"]',
    'sort image, @logStream',
    'limit 10000',
  ],
  'slowest-pulls': [
    'filter outcome = "pulled"',
    'fields @timestamp, @logStream, image, bytes, seconds, bytes / seconds / 1000000 as megabytesPerSecond',
    'sort seconds desc',
    'limit 100',
  ],
  'failures-by-reason': [
    'filter outcome in ["failed", "refused"] or ispresent(summary.error)',
    'fields coalesce(reason, summary.error) as why',
    'stats count(*) as times, count_distinct(@logStream) as nodes, max(@timestamp) as newest by why, image',
    'sort times desc',
  ],
  'what-a-push-did': [
    'filter moment = "push" and ispresent(image)',
    'fields @timestamp, @logStream, image, outcome, seconds, pushToCachedSeconds, reason',
    'sort @timestamp desc',
    'limit 1000',
  ],
  'what-boot-gates-waited-for': [
    'filter moment = "gate" or summary.moment = "gate"',
    'fields @timestamp, @logStream, image, outcome, coalesce(seconds, summary.seconds) as waited, summary.timedOut, coalesce(reason, summary.error) as why',
    'sort @logStream, @timestamp',
    'limit 1000',
  ],
} as const;

export type ReportQueryName = keyof typeof REPORT_QUERIES;

/** The text of a query for one prefetcher: a log group may be that of several. */
export function renderQuery(name: ReportQueryName, owner: string): string {
  return [`filter owner = "${owner}" or summary.owner = "${owner}"`, ...REPORT_QUERIES[name]].join('\n| ');
}

/** The queries, saved: the console offers them in the folder `cdk-eks-image-prefetcher/OWNER`. */
export class ReportQueries extends Construct {
  constructor(scope: Construct, id: string, logGroupName: string, owner: string) {
    super(scope, id);

    for (const name of Object.keys(REPORT_QUERIES) as ReportQueryName[]) {
      new CfnQueryDefinition(this, name, {
        name: `cdk-eks-image-prefetcher/${owner}/${name}`,
        queryString: renderQuery(name, owner),
        logGroupNames: [logGroupName],
      });
    }
  }
}
