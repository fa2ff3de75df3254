/**
 * Whether the figures in bench/results.json got worse than the committed ones, by their ratios alone, which hold on any machine:
 * `npm run bench:check`, after `npm run bench`.
 */
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import type { Rows } from './regressions';
import { regressions } from './regressions';

const FILE = path.join(__dirname, 'results.json');

function main(): void {
  const now = JSON.parse(fs.readFileSync(FILE, 'utf8')) as Rows;
  const then = JSON.parse(execFileSync('git', ['show', 'HEAD:./results.json'], { cwd: __dirname, encoding: 'utf8' })) as Rows;
  const found = regressions(then, now);
  found.forEach(each => process.stderr.write(`${each}\n`));
  process.exitCode = found.length > 0 ? 1 : 0;
}

main();
