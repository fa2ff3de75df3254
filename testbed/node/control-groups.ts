import * as fs from 'node:fs';
import * as path from 'node:path';
import { waitFor } from '../engines/processes';

const ROOT = '/sys/fs/cgroup';

/** Removes the control groups below a name; their processes have ended. The kernel may need a moment to notice. */
export async function removeControlGroups(name: string): Promise<void> {
  await waitFor(`control groups ${name} to be removable`, () => {
    controlGroups(name).forEach(removeTree);
    return true;
  }, 10);
}

/** Control groups of that name that exist: version 1 has one tree per controller, version 2 a single one. */
export function controlGroups(name: string): string[] {
  const hierarchies = fs.existsSync(ROOT) ? [ROOT, ...subfolders(ROOT)] : [];
  return hierarchies.map(hierarchy => path.join(hierarchy, name)).filter(folder => fs.existsSync(folder));
}

function removeTree(folder: string): void {
  subfolders(folder).forEach(removeTree);
  fs.rmdirSync(folder);
}

function subfolders(folder: string): string[] {
  return fs.readdirSync(folder, { withFileTypes: true }).filter(entry => entry.isDirectory()).map(entry => path.join(folder, entry.name));
}
