import * as os from 'node:os';
import * as path from 'node:path';

/** Where `testbed/setup.sh` puts the engines, and where test images are kept between runs. */
export const CACHE_FOLDER = path.join(
  process.env.XDG_CACHE_HOME || path.join(os.homedir(), '.cache'),
  'cdk-eks-image-prefetcher',
);

/** An engine built by `testbed/setup.sh`. */
export function engine(name: string): string {
  return path.join(CACHE_FOLDER, 'bin', name);
}

/** A program of the Python environment made by `testbed/setup.sh`. */
export function pythonTool(name: string): string {
  return path.join(CACHE_FOLDER, 'venv', 'bin', name);
}
