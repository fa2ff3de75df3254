import type { Template } from '../../testbed/aws';
import { runQuery } from '../../testbed/aws/logs-insights';
import type { LoggedLine } from '../../testbed/aws/metric-filters';
import { publishedMetrics } from '../../testbed/aws/metric-filters';
import type { NodeReport } from '../../testbed/report';
import { parseReport } from '../../testbed/report';
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
  return {
    metrics,
    alarms: template.resources('AWS::CloudWatch::Alarm').map(({ properties }) => properties).filter(alarm => goesOff(alarm, metrics[alarm.MetricName]))
      .map(alarm => alarm.MetricName === 'Reports' ? 'MissingReports' : alarm.MetricName),
    answers: ask(template, 'failures-by-reason', lines).map(({ times, why }) => `${times} × ${why}`),
  };
}

/** Answers of the saved query `what-boot-gates-waited-for` about gates themselves, not their images, beside what the journal said. */
export function gatesSeen(template: Template, lines: readonly LoggedLine[], said: string): string[] {
  return ask(template, 'what-boot-gates-waited-for', lines).filter(({ image }) => image === undefined).map(answer => [
    ...answer.waited !== undefined ? [`waited ${Number(answer.waited).toFixed(0)} s`] : [],
    ...answer['summary.timedOut'] ? ['timedOut'] : [],
    ...answer.why !== undefined ? [said.includes(String(answer.why)) ? 'this reason' : String(answer.why)] : [],
  ].join(', '));
}

function ask(template: Template, name: string, lines: readonly LoggedLine[]): ReturnType<typeof runQuery> {
  const query = template.resources('AWS::Logs::QueryDefinition').find(({ properties }) => properties.Name.endsWith(`/${name}`))!;
  return runQuery(query.properties.QueryString, lines);
}

function goesOff(alarm: Record<string, any>, sum: number | undefined): boolean {
  if (sum === undefined) {
    return alarm.TreatMissingData === 'breaching';
  }
  return alarm.ComparisonOperator === 'LessThanThreshold' ? sum < alarm.Threshold : sum >= alarm.Threshold;
}

/** What one run says in its output, in words: outcomes with their reasons, errors and notes. */
export function saidBy(run: Run): string {
  return [...inWords(run, run.stdout), ...run.stdout.includes('"summary"') ? [] : [`no report; standard error: ${run.stderr.trim() || '(empty)'}`]].join('; ');
}

/** What a boot gate says in its journal. */
export function saidAtGate(journal: string): string {
  const plain = journal.split('\n').filter(line => /^the boot gate failed|^exit code|No such file/.test(line));
  return [...inWords(parseReport(journal), journal), ...plain].join('; ');
}

function inWords(report: NodeReport, output: string): string[] {
  const ofImages = new Map<string, number>();
  for (const { image, outcome, reason } of report.images) {
    // Many images may fail alike.
    const said = outcome + (reason ? `: ${reason.split(image).join('IMAGE')}` : '');
    ofImages.set(said, (ofImages.get(said) ?? 0) + 1);
  }
  const { error, note, timedOut } = report.summary;
  const unreported = output.split('\n').filter(line => line.startsWith('{"unreported"')).map(line => JSON.parse(line).unreported);
  return [
    ...[...ofImages].map(([said, times]) => times > 1 ? `${times} × ${said}` : said),
    ...error ? [`error: ${error}`] : [],
    ...note ? [`note: ${note}`] : [],
    ...timedOut ? ['timedOut'] : [],
    ...unreported.map(reason => `unreported: ${reason}`),
  ];
}
