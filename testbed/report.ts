import { Invocation } from './aws';

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
