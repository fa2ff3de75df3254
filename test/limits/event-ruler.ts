import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { CACHE_FOLDER } from '../../testbed/engines/cache';

const JAVA = path.join(CACHE_FOLDER, 'java');

/** Why AWS's event-ruler can't run on this machine; undefined when it can. */
export function whyNoEventRuler(): string | undefined {
  if (!fs.existsSync(path.join(JAVA, 'classes', 'testbed', 'EventRulerLines.class'))) {
    return `AWS's event-ruler is not built in ${JAVA}: run testbed/setup.sh`;
  }
  return spawnSync('java', ['-version']).status === 0 ? undefined : 'there is no java on the PATH: run testbed/setup.sh';
}

/** One pattern against many events. */
export interface Question {
  readonly pattern: object;
  readonly events: object[];
}

/** Which events each pattern matches, as EventBridge decides: one JVM answers everything. */
export function askEventRuler(questions: Question[]): boolean[][] {
  const { status, stdout, stderr } = spawnSync('java', ['-cp', `${JAVA}/classes:${JAVA}/lib/*`, 'testbed.EventRulerLines'], {
    input: questions.map(question => `${JSON.stringify(question)}\n`).join(''),
    encoding: 'utf8',
    maxBuffer: 1e9,
  });
  if (status !== 0) throw new Error(`event-ruler ended with ${status}: ${stderr}`);
  return stdout.trimEnd().split('\n').map((line, index) => {
    const answer = JSON.parse(line);
    if (!Array.isArray(answer)) throw new Error(`event-ruler refuses ${JSON.stringify(questions[index].pattern)}: ${line}`);
    return answer;
  });
}
