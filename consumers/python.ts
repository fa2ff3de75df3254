import * as fs from 'node:fs';
import * as path from 'node:path';
import { ROOT, TOOLS, wheel } from './built';
import { shell } from './shell';
import type { Workshop } from './twin';

export const EXAMPLE = path.join(ROOT, 'examples', 'python');

/** A folder with the example and a virtual environment that has the wheel. */
export async function pythonFolder(workshop: Workshop, name: string, cdk?: string): Promise<{ folder: string; python: string; cdk: string }> {
  const folder = workshop.emptyFolder(name);
  fs.cpSync(EXAMPLE, folder, { recursive: true });
  const python = path.join(folder, 'venv', 'bin', 'python');
  await shell(folder, 'python3 -m venv venv');
  await shell(folder, `venv/bin/pip install --quiet --disable-pip-version-check "${wheel()}" ${cdk ? `aws-cdk-lib==${cdk}` : 'aws-cdk-lib'} mypy==${TOOLS.mypy}`);
  return { folder, python, cdk: (await shell(folder, `${python} -c "from importlib.metadata import version; print(version('aws-cdk-lib'))"`)).trim() };
}

export async function pythonApp(workshop: Workshop, name: string, cdk?: string): Promise<string> {
  const { folder, python, cdk: installed } = await pythonFolder(workshop, name, cdk);
  // Strict, as a careful team has it; the wheel is typed, so nothing is left to guesses.
  fs.writeFileSync(path.join(folder, 'pyrightconfig.json'), JSON.stringify({ include: ['app.py'], strict: ['app.py'], venvPath: '.', venv: 'venv' }));
  await shell(folder, path.join(await workshop.toolsFolder(), 'pyright'));
  await shell(folder, `${python} -m mypy --strict app.py`);
  const assembly = await workshop.synth(folder, `${python} app.py`);
  return `aws-cdk-lib ${installed}: pyright and mypy strict, ${await workshop.compareToTwin(assembly, installed)}`;
}
