import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import * as fs from 'node:fs';
import * as net from 'node:net';

export interface CommandResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly seconds: number;
  /** The time limit was reached and the command with all its children was killed. */
  readonly timedOut: boolean;
}

export interface CommandOptions {
  /** The complete environment. @default - the one of this process */
  readonly env?: NodeJS.ProcessEnv;
  readonly input?: string;
  readonly timeoutSeconds?: number;
}

/** Runs a program to its end, whatever its exit code. */
export function run(argv: string[], options: CommandOptions = {}): Promise<CommandResult> {
  const started = process.hrtime.bigint();
  return new Promise((resolve, reject) => {
    // A process group of its own, so that a time limit ends the children too.
    const child = spawn(argv[0], argv.slice(1), { env: options.env ?? process.env, detached: true, stdio: 'pipe' });
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    let timedOut = false;
    const timer = setTimeout(() => {
      timedOut = true;
      signal(-child.pid!, 'SIGKILL');
    }, (options.timeoutSeconds ?? 600) * 1000);
    child.stdout.on('data', (data: Buffer) => stdout.push(data));
    child.stderr.on('data', (data: Buffer) => stderr.push(data));
    child.on('error', error => {
      clearTimeout(timer);
      reject(new Error(`can't start ${argv[0]}: ${error.message}; run testbed/setup.sh`));
    });
    child.on('close', code => {
      clearTimeout(timer);
      resolve({
        exitCode: code ?? 137,
        stdout: Buffer.concat(stdout).toString(),
        stderr: Buffer.concat(stderr).toString(),
        seconds: Number(process.hrtime.bigint() - started) / 1e9,
        timedOut,
      });
    });
    // The program may end without reading its input.
    child.stdin.on('error', () => undefined);
    child.stdin.end(options.input ?? '');
  });
}

/** Runs a program that must succeed, and gives its standard output. */
export async function runOk(argv: string[], options: CommandOptions = {}): Promise<string> {
  const result = await run(argv, options);
  if (result.exitCode !== 0) {
    throw new Error(`${argv.join(' ')} failed with exit code ${result.exitCode}: ${(result.stderr || result.stdout).trim().slice(-2000)}`);
  }
  return result.stdout;
}

/** A program that runs until it is stopped. It dies with this process, however this one ends. */
export class Daemon {
  readonly pid: number;
  private readonly child: ChildProcess;
  private readonly ended: Promise<void>;

  constructor(argv: string[], private readonly logFile: string, env: NodeJS.ProcessEnv = process.env) {
    const log = fs.openSync(logFile, 'a');
    this.child = spawn('setpriv', ['--pdeathsig', 'KILL', ...argv], { env, stdio: ['pipe', log, log], detached: true });
    fs.closeSync(log);
    this.ended = new Promise(resolve => {
      this.child.once('exit', () => resolve());
      this.child.once('error', () => resolve());
    });
    this.pid = this.child.pid ?? 0;
    if (this.pid === 0) {
      throw new Error(`can't start ${argv[0]}: is util-linux (setpriv) installed? run testbed/setup.sh`);
    }
  }

  get running(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  /** The end of its log, for error messages. */
  get logTail(): string {
    return fs.readFileSync(this.logFile, 'utf8').slice(-2000);
  }

  async stop(first: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    if (!this.running) {
      return;
    }
    // A paused process would not see the signal.
    signal(this.pid, 'SIGCONT');
    signal(this.pid, first);
    const timer = setTimeout(() => signal(this.pid, 'SIGKILL'), 5000);
    await this.ended;
    clearTimeout(timer);
  }
}

/** Sends a signal to a process (or, negative, its group) that may have ended already. */
export function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') {
      throw error;
    }
  }
}

export function sleep(milliseconds: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, milliseconds));
}

/** Waits until the check gives a value; an error of the check counts as "not yet". */
export async function waitFor<T>(what: string, check: () => Promise<T | undefined> | T | undefined, seconds = 30, explain = () => ''): Promise<T> {
  const deadline = Date.now() + seconds * 1000;
  let last = '';
  while (Date.now() < deadline) {
    try {
      const value = await check();
      if (value !== undefined && value !== false) {
        return value;
      }
    } catch (error) {
      last = (error as Error).message;
    }
    await sleep(25);
  }
  throw new Error(`waited ${seconds} s for ${what}: ${[last, explain()].filter(Boolean).join('; ') || 'it did not come'}`);
}

/** A TCP port on the loopback address that nobody uses now. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = net.createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as net.AddressInfo;
      server.close(() => resolve(port));
    });
  });
}
