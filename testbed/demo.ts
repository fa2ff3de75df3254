/** The main job, end to end. `--json` prints the result as one JSON object; progress goes to standard error. */
import { Progress } from './demo/progress';
import { runOnRealNodes } from './demo/real-nodes';
import { walkThrough } from './demo/walk-through';
import { canMatchEvents, missingForNodes } from './engines';
import { stack } from '../examples/demo/app';

async function main(args: string[]): Promise<void> {
  const unknown = args.filter(arg => arg !== '--json');
  if (unknown.length > 0) throw new Error(`the demo takes --json or nothing, got ${unknown.join(' ')}`);
  const progress = new Progress();
  const missing = [...missingForNodes(), ...(canMatchEvents() ? [] : ['Java and AWS\'s event-ruler, which match events, are not there'])];
  const result = missing.length === 0 ? await runOnRealNodes(stack, progress) : await walkThrough(stack, missing, progress);
  if (args.includes('--json')) process.stdout.write(`${JSON.stringify(result, null, 2)}\n`);
}

main(process.argv.slice(2)).catch(error => {
  process.stderr.write(`${error.stack}\n`);
  process.exitCode = 1;
});
