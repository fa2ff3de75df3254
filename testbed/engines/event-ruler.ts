import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import * as path from 'node:path';
import * as readline from 'node:readline';
import { CACHE_FOLDER } from './cache';
import type { Stoppable } from './workspace';

const FOLDER = path.join(CACHE_FOLDER, 'java');

/** AWS's own matcher of EventBridge patterns, in one Java process. It starts with the first question. */
export class EventRuler implements Stoppable {
  private java?: ChildProcess;
  private ended?: Promise<void>;
  /** Answers come in the order of the questions. */
  private readonly waiting: { resolve: (answer: unknown) => void; reject: (error: Error) => void }[] = [];

  async matches(pattern: object, event: object): Promise<boolean> {
    return await this.ask({ pattern, event }) as boolean;
  }

  /** Many events against one pattern, in one question. */
  async matchesEach(pattern: object, events: object[]): Promise<boolean[]> {
    return await this.ask({ pattern, events }) as boolean[];
  }

  async stop(): Promise<void> {
    this.java?.stdin!.end();
    await this.ended;
    this.java = undefined;
  }

  private ask(question: object): Promise<unknown> {
    const java = this.java ??= this.start();
    return new Promise((resolve, reject) => {
      this.waiting.push({ resolve, reject });
      java.stdin!.write(`${JSON.stringify(question)}\n`);
    });
  }

  private start(): ChildProcess {
    const classpath = [path.join(FOLDER, 'classes'), path.join(FOLDER, 'lib', '*')].join(path.delimiter);
    const java = spawn('java', ['-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-cp', classpath, 'testbed.EventRulerLines'],
      { stdio: ['pipe', 'pipe', 'inherit'] });
    this.ended = new Promise(resolve => {
      const end = (reason: string) => {
        this.waiting.splice(0).forEach(({ reject }) => reject(new Error(`the event matcher ended (${reason}); testbed/setup.sh builds it`)));
        resolve();
      };
      java.once('error', error => end(error.message));
      java.once('close', code => end(`exit code ${code}`));
    });
    java.stdin.on('error', () => undefined);
    readline.createInterface({ input: java.stdout }).on('line', line => {
      const { resolve, reject } = this.waiting.shift()!;
      const answer = JSON.parse(line) as { error?: string };
      if (answer.error === undefined) {
        resolve(answer);
      } else {
        reject(new Error(`event-ruler refuses: ${answer.error}`));
      }
    });
    return java;
  }
}
