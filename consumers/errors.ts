// What a user of each language reads when a prop is out of its range, and when a Python user gives a name for a cluster.
import * as fs from 'node:fs';
import * as path from 'node:path';
import { OLDEST_CDK } from './built';
import { javaFolder } from './java';
import { pythonFolder } from './python';
import { attempt, shell } from './shell';
import { EXAMPLE, type Workshop } from './twin';

const MESSAGE = "maxDiskUsage of 'WholeApi/Prefetcher' must be a whole number from 1 to 84, got 99";

export async function checkErrors(workshop: Workshop): Promise<string> {
  const typescript = await typescriptError(workshop);
  const python = await pythonErrors(workshop);
  const java = await javaError(workshop);
  return `the message is ${typescript} in TypeScript, ${python} in Python, ${java} in Java`;
}

async function typescriptError(workshop: Workshop): Promise<string> {
  const folder = workshop.emptyFolder('typescript-error');
  fs.cpSync(EXAMPLE, folder, { recursive: true });
  change(folder, 'app.ts', 'maxDiskUsage: 70', 'maxDiskUsage: 99');
  const twin = path.dirname(await workshop.twin(OLDEST_CDK));
  fs.symlinkSync(path.join(twin, 'node_modules'), path.join(folder, 'node_modules'));
  await shell(folder, 'npx tsc --strict --target es2022 --module commonjs --types node app.ts');
  return position(await attempt(folder, 'node app.js'), MESSAGE);
}

async function pythonErrors(workshop: Workshop): Promise<string> {
  const { folder, python } = await pythonFolder(workshop, 'python-error', OLDEST_CDK);
  change(folder, 'app.py', 'max_disk_usage=70', 'max_disk_usage=99');
  const outOfRange = await attempt(folder, `${python} app.py`);
  if (!outOfRange.output.trimEnd().split('\n').at(-1)!.includes(MESSAGE)) {
    throw new Error(`the last line in Python does not say what is wrong:\n${outOfRange.output}`);
  }
  // The bridge checks types before this library sees anything; its text names the prop and the value.
  change(folder, 'app.py', 'cluster=cluster,', 'cluster="prod",');
  const name = await attempt(folder, `${python} app.py`);
  for (const part of ["Key 'cluster'", 'IClusterRef', "'prod'"]) {
    if (!name.output.includes(part)) {
      throw new Error(`a name for a cluster gives no word of ${part}:\n${name.output}`);
    }
  }
  return 'the last line';
}

async function javaError(workshop: Workshop): Promise<string> {
  const { folder, maven } = javaFolder(workshop, 'java-error');
  change(folder, 'src/main/java/example/WholeApi.java', 'maxDiskUsage(70)', 'maxDiskUsage(99)');
  await shell(folder, `${maven} -Dcdk.version=${OLDEST_CDK} compile`);
  return position(await attempt(folder, `${maven} -Dcdk.version=${OLDEST_CDK} exec:java`), MESSAGE);
}

function position({ code, output }: { code: number | null; output: string }, message: string): string {
  const line = output.split('\n').findIndex(text => text.includes(message));
  if (code === 0 || line < 0) {
    throw new Error(`exit code ${code}, and '${message}' is not in what is printed:\n${output}`);
  }
  return `line ${line + 1}`;
}

function change(folder: string, file: string, from: string, to: string): void {
  const whole = path.join(folder, file);
  const text = fs.readFileSync(whole, 'utf8');
  if (!text.includes(from)) {
    throw new Error(`${file} has no '${from}' to change`);
  }
  fs.writeFileSync(whole, text.replace(from, to));
}
