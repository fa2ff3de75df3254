// Apps of users in folders of their own, with the packed library from npm's point of view.
import * as fs from 'node:fs';
import * as path from 'node:path';
import { NAME, ROOT, TOOLS, tarball } from './built';
import { shell } from './shell';
import { count, differences, templatesOf } from './templates';

export const EXAMPLE = path.join(ROOT, 'examples', 'whole-api');

export class Workshop {
  private readonly made = new Map<string, Promise<unknown>>();

  constructor(private readonly folder: string) {}

  /** What several checks need is made once. */
  public once<T>(name: string, make: () => Promise<T>): Promise<T> {
    if (!this.made.has(name)) {
      this.made.set(name, make());
    }
    return this.made.get(name) as Promise<T>;
  }

  public emptyFolder(name: string): string {
    const folder = path.join(this.folder, name);
    fs.mkdirSync(folder);
    return folder;
  }

  /** The folder of the programs that users have besides: the CDK's CLI, type checkers. */
  public toolsFolder(): Promise<string> {
    return this.once('tools', async () => {
      const folder = this.emptyFolder('tools');
      fs.writeFileSync(path.join(folder, 'package.json'), '{}');
      await shell(folder, `npm install --no-audit --no-fund --loglevel error aws-cdk@${TOOLS.cdk} pyright@${TOOLS.pyright}`);
      return path.join(folder, 'node_modules', '.bin');
    });
  }

  /** `cdk synth` as a user types it; returns the cloud assembly. */
  public async synth(folder: string, app: string, env: NodeJS.ProcessEnv = {}): Promise<string> {
    const output = path.join(folder, 'cdk.out');
    const cdk = path.join(await this.toolsFolder(), 'cdk');
    await shell(folder, `${cdk} synth --quiet --no-notices --no-version-reporting --output "${output}" --app "${app}"`, { CDK_DISABLE_CLI_TELEMETRY: 'true', ...env });
    return output;
  }

  /** Installs the tarball in a folder with nothing else, compiles the app of examples/whole-api there, and synthesises it. */
  public async typescriptApp(name: string, cdk: string, type: 'commonjs' | 'module'): Promise<string> {
    const folder = this.emptyFolder(name);
    fs.writeFileSync(path.join(folder, 'package.json'), JSON.stringify({ private: true, type }));
    fs.cpSync(EXAMPLE, folder, { recursive: true });
    await shell(folder, `npm install --no-audit --no-fund --loglevel error "${tarball()}" aws-cdk-lib@${cdk} constructs@10 typescript@${TOOLS.typescript} @types/node@${TOOLS.nodeTypes}`);
    const installed = JSON.parse(fs.readFileSync(path.join(folder, 'node_modules/aws-cdk-lib/package.json'), 'utf8')).version;
    if (installed !== cdk) {
      throw new Error(`aws-cdk-lib ${cdk} was asked for, ${installed} is installed: ${NAME} does not allow it`);
    }
    await shell(folder, 'npx tsc --strict --target es2022 --module nodenext --types node app.ts');
    // An ES module has no __dirname; how an app finds its own folder is no matter of this library.
    if (type === 'module') {
      fs.writeFileSync(path.join(folder, 'app.js'), `const __dirname = import.meta.dirname;\n${fs.readFileSync(path.join(folder, 'app.js'), 'utf8')}`);
    }
    return this.synth(folder, 'node app.js');
  }

  /** The cloud assembly of the TypeScript app with that aws-cdk-lib. */
  public twin(cdk: string): Promise<string> {
    return this.once(`twin-${cdk}`, () => this.typescriptApp(`twin-${cdk}`, cdk, 'commonjs'));
  }

  /** Fails with what differs from the twin; says how many resources are the same. */
  public async compareToTwin(assembly: string, cdk: string): Promise<string> {
    const expected = templatesOf(await this.twin(cdk));
    const found = differences(expected, templatesOf(assembly));
    if (found.length > 0) {
      throw new Error(`${found.length} differences from the TypeScript twin:\n${found.slice(0, 20).join('\n')}`);
    }
    if (count(expected) === 0) {
      throw new Error('the TypeScript twin has no resources');
    }
    return `${count(expected)} resources as in TypeScript`;
  }
}
