import { spawnSync } from 'node:child_process';
import * as path from 'node:path';

const PROGRAM = path.join(__dirname, '..', '..', 'assets', 'image_prefetcher.py');
const DRIVER = path.join(__dirname, 'node_program_driver.py');

/** Why the node program can't be asked on this machine; undefined when it can. */
export function whyNoNodeProgram(): string | undefined {
  return spawnSync('python3', ['--version']).status === 0 ? undefined : 'there is no python3 on the PATH';
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
