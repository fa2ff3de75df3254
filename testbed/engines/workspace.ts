import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { waitFor } from './processes';
import { controlGroups, removeControlGroups } from '../node/control-groups';

const PREFIX = 'image-prefetcher-';
const SIGNALS: NodeJS.Signals[] = ['SIGINT', 'SIGTERM'];

/** Something that must be stopped at the end of a run. */
export interface Stoppable {
  stop(): Promise<void>;
}

/** The one temporary folder of a run, and everything that was started in it. */
export class Workspace {
  /** Makes the folder, and removes those that killed runs left behind. */
  static async create(): Promise<Workspace> {
    await removeAbandoned();
    return new Workspace(fs.mkdtempSync(path.join(os.tmpdir(), `${PREFIX}${process.pid}-`)));
  }

  private readonly started: Stoppable[] = [];
  private stopping?: Promise<void>;

  private constructor(readonly folder: string) {
    SIGNALS.forEach(name => process.once(name, this.interrupted));
  }

  /** Names this run where names are shared with other runs, such as control groups. */
  get id(): string {
    return path.basename(this.folder);
  }

  /** A new folder inside. */
  makeFolder(name: string): string {
    const folder = path.join(this.folder, name);
    fs.mkdirSync(folder);
    return folder;
  }

  /** Remembers to stop this, in reverse order of starting. */
  track<T extends Stoppable>(part: T): T {
    this.started.push(part);
    return part;
  }

  /** Stops everything, removes the folder, and fails when a process or a mount is left. */
  stop(): Promise<void> {
    this.stopping ??= this.stopAll();
    return this.stopping;
  }

  private readonly interrupted = () => {
    void this.stop().finally(() => process.exit(130));
  };

  private async stopAll(): Promise<void> {
    const errors: string[] = [];
    for (const part of this.started.reverse()) {
      await part.stop().catch((error: Error) => errors.push(error.message));
    }
    await removeControlGroups(this.id).catch((error: Error) => errors.push(error.message));
    await waitFor('mounts and processes of this run to go away', () => this.leftovers().length === 0 || undefined, 10)
      .catch(() => errors.push(`still there: ${this.leftovers().join(', ')}`));
    SIGNALS.forEach(name => process.off(name, this.interrupted));
    if (errors.length === 0) {
      fs.rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 });
    } else {
      throw new Error(`could not clean up ${this.folder}: ${errors.join('; ')}`);
    }
  }

  /** Mounts below the folder, control groups, and processes that name the folder. */
  leftovers(): string[] {
    const mounts = fs.readFileSync('/proc/self/mounts', 'utf8').split('\n').filter(line => line.includes(this.folder));
    const processes = fs.readdirSync('/proc')
      .filter(pid => /^\d+$/.test(pid) && Number(pid) !== process.pid)
      .map(pid => `process ${pid}: ${commandLine(pid)}`)
      .filter(line => line.includes(this.folder));
    return [...mounts.map(line => `mount ${line.split(' ')[1]}`), ...controlGroups(this.id), ...processes];
  }
}

function commandLine(pid: string): string {
  try {
    return fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').join(' ').trim();
  } catch {
    return '';
  }
}

/** A run that was killed could not clean up; its processes and mounts ended with it. */
async function removeAbandoned(): Promise<void> {
  for (const name of fs.readdirSync(os.tmpdir())) {
    const pid = new RegExp(`^${PREFIX}(\\d+)-`).exec(name)?.[1];
    if (pid && !fs.existsSync(`/proc/${pid}`)) {
      await removeControlGroups(name);
      fs.rmSync(path.join(os.tmpdir(), name), { recursive: true, force: true });
    }
  }
}
