import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { engine } from '../../testbed/engines/cache';

/** What an image name is. */
export interface Reading {
  readonly host: string;
  readonly path: string;
  readonly tag?: string;
  readonly digest?: string;
}

/** Why names can't be read the kubelet's way on this machine; undefined when they can. */
export function whyNoReferenceReader(): string | undefined {
  return fs.existsSync(engine('reference-reader')) ? undefined : 'the reference-reader is not built: run testbed/setup.sh --for-tests';
}

/** How kubelet and containerd read each name, by their own library; undefined where it is no name. One process answers all. */
export function askReferenceReader(names: string[]): (Reading | undefined)[] {
  const { status, stdout, stderr } = spawnSync(engine('reference-reader'), {
    input: names.map(name => `${JSON.stringify(name)}\n`).join(''), encoding: 'utf8', maxBuffer: 1e9,
  });
  if (status !== 0) {
    throw new Error(`the reference-reader ended with ${status}: ${stderr}`);
  }
  return stdout.trimEnd().split('\n').map(line => {
    const { error, ...reading } = JSON.parse(line);
    return error === undefined ? reading : undefined;
  });
}
