import type { Template } from '../../testbed/aws';
import { runQuery } from '../../testbed/aws/logs-insights';
import type { LoggedLine } from '../../testbed/aws/metric-filters';
import { publishedMetrics } from '../../testbed/aws/metric-filters';
import type { Run } from '../nodes/real-nodes';

/** What a user sees of a fault who looks at CloudWatch only. */
export interface Seen {
  /** Metrics that count something, by name. */
  readonly metrics: Record<string, number>;
  /** Alarms that go off, should it go on like this. */
  readonly alarms: string[];
  /** Answers of the saved query `failures-by-reason`. */
  readonly answers: string[];
}

export function logGroupOf(template: Template): string {
  return template.ref(template.resources('AWS::Logs::LogGroup')[0].logicalId);
}

/** What metric filters, alarms and the saved query of a template make of the lines in its log group. */
export function whatIsSeen(template: Template, lines: readonly LoggedLine[]): Seen {
  const metrics: Record<string, number> = {};
  for (const { name, value, unit } of publishedMetrics(template, logGroupOf(template), lines)) {
    if (unit === 'Count') {
      metrics[name] = (metrics[name] ?? 0) + value;
    }
  }
  const query = template.resources('AWS::Logs::QueryDefinition').find(({ properties }) => properties.Name.endsWith('/failures-by-reason'))!;
  return {
    metrics,
    alarms: template.resources('AWS::CloudWatch::Alarm').map(({ properties }) => properties).filter(alarm => goesOff(alarm, metrics[alarm.MetricName]))
      .map(alarm => alarm.MetricName === 'Reports' ? 'MissingReports' : alarm.MetricName),
    answers: runQuery(query.properties.QueryString, lines).map(({ times, why }) => `${times} × ${why}`),
  };
}

function goesOff(alarm: Record<string, any>, sum: number | undefined): boolean {
  if (sum === undefined) {
    return alarm.TreatMissingData === 'breaching';
  }
  return alarm.ComparisonOperator === 'LessThanThreshold' ? sum < alarm.Threshold : sum >= alarm.Threshold;
}

/** What one run says in its output, in words: outcomes with their reasons, errors and notes. */
export function saidBy(run: Run): string {
  const ofImages = new Map<string, number>();
  for (const { image, outcome, reason } of run.images) {
    // Many images may fail alike.
    const said = outcome + (reason ? `: ${reason.split(image).join('IMAGE')}` : '');
    ofImages.set(said, (ofImages.get(said) ?? 0) + 1);
  }
  const { error, note, timedOut } = run.summary;
  const unreported = run.stdout.split('\n').filter(line => line.startsWith('{"unreported"')).map(line => JSON.parse(line).unreported);
  return [
    ...[...ofImages].map(([said, times]) => times > 1 ? `${times} × ${said}` : said),
    ...error ? [`error: ${error}`] : [],
    ...note ? [`note: ${note}`] : [],
    ...timedOut ? ['timedOut'] : [],
    ...unreported.map(reason => `unreported: ${reason}`),
    ...run.stdout.includes('"summary"') ? [] : [`no report; standard error: ${run.stderr.trim() || '(empty)'}`],
  ].join('; ');
}
