import type { Run } from '../nodes/real-nodes';

/** A line of the node program, as JSON. */
export type ReportLine = Record<string, any>;

/** What a user sees of a fault who looks at CloudWatch only. */
export interface Seen {
  /** Metrics that are not zero, by name. */
  readonly metrics: Record<string, number>;
  readonly alarms: string[];
}

const METRIC_OF_OUTCOME: Record<string, string> = { pulled: 'Pulls', failed: 'Failures', refused: 'Refusals' };

/** Metrics and alarms that the lines in the log group make. */
export function whatIsSeen(lines: readonly ReportLine[]): Seen {
  const names = lines.flatMap(({ outcome, summary }) => {
    if (!summary) return METRIC_OF_OUTCOME[outcome] ?? [];
    return summary.moment === 'gate' && summary.timedOut ? ['Reports', 'GateTimeouts'] : ['Reports'];
  });
  const metrics: Record<string, number> = {};
  for (const name of names) metrics[name] = (metrics[name] ?? 0) + 1;
  return {
    metrics,
    alarms: [
      ...metrics.Failures ? ['failures'] : [],
      ...metrics.GateTimeouts ? ['gate time-outs'] : [],
      ...metrics.Reports ? [] : ['missing reports'],
    ],
  };
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
