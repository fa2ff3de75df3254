/**
 * The main job, end to end. `--json` prints the result as one JSON object; progress goes to standard error. `--dashboard FILE` draws the
 * dashboard with what was seen.
 */
import { parseArgs } from 'node:util';
import { Progress } from './demo/progress';
import { runOnRealNodes } from './demo/real-nodes';
import { walkThrough } from './demo/walk-through';
import { canMatchEvents, missingForNodes } from './engines';
import { stack } from '../examples/demo/app';

async function main(): Promise<void> {
  const { values: options } = parseArgs({ options: { json: { type: 'boolean' }, dashboard: { type: 'string' } } });
  const progress = new Progress();
  const missing = [...missingForNodes(), ...(canMatchEvents() ? [] : ['Java and AWS\'s event-ruler, which match events, are not there'])];
  const result = missing.length === 0 ? await runOnRealNodes(stack, progress, options.dashboard) : await walkThrough(stack, missing, progress);
  if (options.json) {
    process.stdout.write(`${JSON.stringify(result, null, 2)}\n`);
  }
}

main().catch(error => {
  process.stderr.write(`${error.stack}\n`);
  process.exitCode = 1;
});
