import * as fs from 'node:fs';
import * as os from 'node:os';
import { engine } from '../testbed/engines/cache';
import { runOk } from '../testbed/engines/processes';

/** Where figures come from: they are to be read with it, and are not compared across machines. */
export async function machine(): Promise<Record<string, string | number>> {
  const [{ model }] = os.cpus();
  return {
    cores: os.cpus().length,
    processor: model.trim(),
    memoryGiB: Math.round(os.totalmem() / 2 ** 30),
    kernel: os.release(),
    containerd: await version([engine('containerd'), '--version'], /v?(\d+\.\d+\.\d+\S*)/),
    kubelet: await version([engine('kubelet'), '--version'], /v(\d+\.\d+\.\d+\S*)/),
    node: process.version,
    loadBefore: Number(fs.readFileSync('/proc/loadavg', 'utf8').split(' ')[0]),
  };
}

async function version(argv: string[], pattern: RegExp): Promise<string> {
  return pattern.exec(await runOk(argv))?.[1] ?? 'unknown';
}
