import { spawnSync } from 'node:child_process';
import * as path from 'node:path';

const PROGRAM = path.join(__dirname, '..', '..', 'assets', 'image_prefetcher.py');
const DRIVER = path.join(__dirname, 'node_program_driver.py');

/** Why the node program can't be asked on this machine; undefined when it can. */
export function whyNoNodeProgram(): string | undefined {
  return spawnSync('python3', ['--version']).status === 0 ? undefined : 'there is no python3 on the PATH';
}

/** Settings of a run that are right. */
export const SETTINGS: Record<string, string> = {
  Owner: 'one', Revision: '0123456789abcdef', ParallelPulls: '2', PinImages: 'true', MaxDiskUsage: '75', TimeoutSeconds: '600', LogGroup: 'group', Region: 'us-east-1',
};

/** The question what the node program takes a run for, of which these are the environment, the settings and the wanted list. */
export function run(environment: Record<string, string>, settings = SETTINGS, images: string[] = []) {
  const lines = [...Object.entries(settings).map(([name, value]) => `${name}=${value}`), ...images.map(image => `Image=${image}`)];
  return { settings: lines.map(line => `${line}\n`).join(''), environment };
}

/** What the node program makes of each question, which is of a kind that node_program_driver.py knows: one process answers all. */
export function askNodeProgram<T>(kind: 'wanted' | 'read' | 'run' | 'names', questions: unknown[]): T[] {
  const { status, stdout, stderr } = spawnSync('python3', [DRIVER, PROGRAM], {
    input: questions.map(question => `${JSON.stringify([kind, question])}\n`).join(''),
    encoding: 'utf8',
    maxBuffer: 1e9,
  });
  if (status !== 0) {
    throw new Error(`the node program's driver ended with ${status}: ${stderr}`);
  }
  return stdout.trimEnd().split('\n').map(line => JSON.parse(line));
}
