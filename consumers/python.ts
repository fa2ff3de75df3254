import * as fs from 'node:fs';
import * as path from 'node:path';
import { ROOT, TOOLS, wheel } from './built';
import { shell } from './shell';
import type { Workshop } from './twin';

export const EXAMPLE = path.join(ROOT, 'examples', 'python');

interface PythonFolder {
  readonly folder: string;
  /** The interpreter of a virtual environment that has the wheel. */
  readonly python: string;
  /** The aws-cdk-lib in there. */
  readonly cdk: string;
  /** Fails with what pyright says of the file. */
  pyright(options: { include: string[]; [option: string]: unknown }): Promise<void>;
}

/** A folder with the example. */
export async function pythonFolder(workshop: Workshop, name: string, cdk?: string): Promise<PythonFolder> {
  const { venv, installed } = await environment(workshop, cdk);
  const folder = workshop.emptyFolder(name);
  fs.cpSync(EXAMPLE, folder, { recursive: true });
  return {
    folder,
    python: path.join(venv, 'bin', 'python'),
    cdk: installed,
    pyright: async options => {
      fs.writeFileSync(path.join(folder, 'pyrightconfig.json'), JSON.stringify({ venvPath: path.dirname(venv), venv: path.basename(venv), ...options }));
      await shell(folder, path.join(await workshop.toolsFolder(), 'pyright'));
    },
  };
}

function environment(workshop: Workshop, cdk?: string): Promise<{ venv: string; installed: string }> {
  return workshop.once(`python-${cdk ?? 'newest'}`, async () => {
    const venv = path.join(workshop.emptyFolder(`environment-${cdk ?? 'newest'}`), 'venv');
    await shell(ROOT, `python3 -m venv "${venv}"`);
    await shell(ROOT, `"${venv}/bin/pip" install --quiet --disable-pip-version-check --no-compile "${wheel()}" ${cdk ? `aws-cdk-lib==${cdk}` : 'aws-cdk-lib'} mypy==${TOOLS.mypy}`);
    const installed = await shell(ROOT, `"${venv}/bin/python" -c "from importlib.metadata import version; print(version('aws-cdk-lib'))"`);
    return { venv, installed: installed.trim() };
  });
}

export async function pythonApp(workshop: Workshop, name: string, cdk?: string): Promise<string> {
  const { folder, python, cdk: installed, pyright } = await pythonFolder(workshop, name, cdk);
  // Strict, as a careful team has it; the wheel is typed, so nothing is left to guesses. mypy takes minutes for aws-cdk-lib: once.
  await pyright({ include: ['app.py'], strict: ['app.py'] });
  if (cdk) {
    await shell(folder, `${python} -m mypy --strict app.py`);
  }
  const assembly = await workshop.synth(folder, `${python} app.py`);
  return `aws-cdk-lib ${installed}: pyright${cdk ? ' and mypy' : ''} strict, ${await workshop.compareToTwin(assembly, installed)}`;
}
