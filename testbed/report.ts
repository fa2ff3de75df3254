import type { Invocation } from './aws';
import type { Deployment } from './deployment';
import type { CloudWatchLogs } from './engines';
import { parseSettings } from './settings';

/** A line that the node program prints for an image. */
export interface ImageLine {
  readonly image: string;
  readonly outcome: string;
  readonly digest?: string;
  readonly bytes?: number;
  readonly seconds?: number;
  readonly reason?: string;
}

/** What the node program said in one run. */
export interface NodeReport {
  readonly images: ImageLine[];
  readonly summary: Record<string, any>;
  /** The summary of a boot gate that could not report itself. */
  readonly gate?: Record<string, any>;
}

/** Reads the standard output of the node program: a JSON line per image, then one with the summary. */
export function parseReport(stdout: string): NodeReport {
  const lines = stdout.split('\n').filter(line => line.startsWith('{')).map(line => JSON.parse(line));
  const [summary, gate] = lines.flatMap(line => line.summary ?? []);
  return { images: lines.filter(line => line.image), summary: summary ?? {}, gate };
}

export function reportOf(invocation: Invocation): NodeReport {
  return parseReport(invocation.output?.stdout ?? '');
}

/** A line of a report as it arrived in a log group. */
export interface ReportLine {
  readonly group: string;
  /** The instance that reported it. */
  readonly stream: string;
  /** Milliseconds since 1970. */
  readonly timestamp: number;
  /** An image line, or `{ summary }`. */
  readonly line: Record<string, any>;
}

/** What the nodes of a deployment have reported to the log groups that its Command documents name. */
export async function reportLines({ plane }: Deployment, logs: CloudWatchLogs): Promise<ReportLine[]> {
  const documents = plane.template.resources('AWS::SSM::Document').map(({ properties }) => properties).filter(({ DocumentType }) => DocumentType === 'Command');
  const groups = new Set(documents.map(({ Content }) =>
    parseSettings((typeof Content === 'string' ? JSON.parse(Content) : Content).mainSteps[0].inputs.runCommand).LogGroup));
  const lines: ReportLine[] = [];
  for (const group of groups) {
    lines.push(...(await logs.events(group)).map(({ stream, timestamp, message }) => ({ group, stream, timestamp, line: JSON.parse(message) })));
  }
  return lines;
}
