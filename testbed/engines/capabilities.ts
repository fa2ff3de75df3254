import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { CACHE_FOLDER, engine, pythonTool } from './cache';

/** Why real nodes can't run on this machine, in words for a user; empty when they can. */
export function missingForNodes(): string[] {
  if (process.platform !== 'linux') {
    return [`nodes need Linux (containerd, overlay file systems, namespaces), and this is ${process.platform}`];
  }
  if (process.getuid!() !== 0) {
    return ['nodes need root (mounts, namespaces, containers): run as root, for example with sudo'];
  }
  const missing = [...missingPrograms(), ...missingEngines()];
  if (missing.length > 0) {
    return [...missing, 'testbed/setup.sh installs what is missing on Debian and Ubuntu'];
  }
  return kernelProblem();
}

/** Why nodes that boot by a real systemd can't run on this machine; empty when they can. */
export function missingForGateNodes(): string[] {
  const root = path.join(CACHE_FOLDER, 'gate-root');
  return [
    ...missingForNodes(),
    ...(fs.existsSync(root) ? [] : [`${root} does not exist: testbed/setup.sh makes it by debootstrap, as root on Debian and Ubuntu`]),
  ];
}

/** True when the Java matcher (AWS's event-ruler) was built. */
export function canMatchEvents(): boolean {
  return fs.existsSync(path.join(CACHE_FOLDER, 'java', 'classes', 'testbed', 'EventRulerLines.class')) && onPath('java');
}

function missingPrograms(): string[] {
  return ['runc', 'docker-registry', 'skopeo', 'htpasswd', 'busybox', 'unshare', 'nsenter', 'setpriv', 'curl', 'python3']
    .filter(name => !onPath(name))
    .map(name => `the program ${name} is not on the PATH`);
}

function missingEngines(): string[] {
  return [
    ...['containerd', 'ctr', 'containerd-shim-runc-v2', 'crictl', 'ecr-credential-provider', 'ec2-metadata-mock', 'kubelet'].map(engine),
    ...['moto_server', 'aws'].map(pythonTool),
  ].filter(file => !fs.existsSync(file)).map(file => `${file} does not exist`);
}

/** Containers that may not mount are the usual case: asked for by trying. */
function kernelProblem(): string[] {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'image-prefetcher-probe-'));
  try {
    const script = 'cd "$1" && mkdir upper work root && mount -t proc proc /proc && '
      + 'mount -t overlay overlay -o lowerdir=/,upperdir=upper,workdir=work root';
    const result = spawnSync('unshare', ['--mount', '--pid', '--fork', 'sh', '-c', script, 'probe', folder], { encoding: 'utf8' });
    return result.status === 0 ? [] : [`this machine doesn't let root mount an overlay in new namespaces: ${result.stderr.trim().split('\n')[0]}`];
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

function onPath(name: string): boolean {
  return (process.env.PATH ?? '').split(':').some(folder => fs.existsSync(path.join(folder, name)));
}
