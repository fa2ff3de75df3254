import { Console } from 'node:console';
import type { Progress } from './progress';
import { shown } from './readable';
import type { Template } from '../aws';
import type { Row } from '../aws/logs-insights';
import { runQuery } from '../aws/logs-insights';
import type { Datapoint } from '../aws/metric-filters';
import { publishedMetrics } from '../aws/metric-filters';
import type { ReportLine } from '../report';

/** What CloudWatch would show of the reports that arrived. */
export interface Watched {
  readonly reports: Row[];
  readonly metrics: { readonly name: string; readonly values: number; readonly sum: number; readonly most: number }[];
  /** Answers of the saved queries by their names. */
  readonly answers: Record<string, Row[]>;
}

/** Evaluates metric filters and saved queries of the template on the lines, and prints what a user would look at. */
export function watched(template: Template, lines: ReportLine[], progress: Progress): Watched {
  const datapoints = datapointsOf(template, lines);
  const metrics = [...new Set(datapoints.map(({ name }) => name))].sort().map(name => {
    const values = datapoints.filter(point => point.name === name).map(({ value }) => value);
    return { name, values: values.length, sum: rounded(values.reduce((sum, value) => sum + value, 0)), most: rounded(Math.max(...values)) };
  });
  const answers: Record<string, Row[]> = Object.fromEntries(template.resources('AWS::Logs::QueryDefinition').map(({ properties }) =>
    [properties.Name.split('/').at(-1), runQuery(properties.QueryString, lines)]));
  const reports = lines.map(({ stream, line }) => asRow(stream, line));

  const table = new Console(process.stderr);
  progress.say('what a user sees: the reports of the nodes');
  table.table(reports);
  progress.say('the metrics that CloudWatch makes of them');
  table.table(metrics);
  for (const [name, rows] of Object.entries(answers).filter(([, { length }]) => length > 0)) {
    progress.say(`the saved query ${name}`);
    table.table(rows.map(row => Object.fromEntries(Object.entries(row).map(([column, value]) => [column, shown(column, value)]))));
  }
  return { reports, metrics, answers };
}

/** What the metric filters publish of the lines, each of its own log group. */
export function datapointsOf(template: Template, lines: ReportLine[]): Datapoint[] {
  const groups = [...new Set(lines.map(({ group }) => group))];
  return groups.flatMap(group => publishedMetrics(template, group, lines.filter(line => line.group === group)));
}

function asRow(instance: string, { summary, ...line }: Record<string, any>): Row {
  const { moment, image, outcome, bytes, seconds, reason, error } = summary ? { ...summary, image: '(run)', outcome: outcomeOf(summary) } : line;
  return { instance, moment, image: image.replace(/^.*?\//, ''), outcome, megabytes: bytes && Math.round(bytes / 1e6), seconds, why: reason ?? error };
}

function outcomeOf({ error, timedOut, failed, wanted }: Record<string, any>): string {
  if (error) {
    return 'error';
  }
  if (timedOut) {
    return 'timed out';
  }
  return failed ? `${failed} of ${wanted} failed` : 'good';
}

function rounded(value: number): number {
  return Math.round(value * 100) / 100;
}
