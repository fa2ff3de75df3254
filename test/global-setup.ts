import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';

/** Every synth leaves a folder in the temporary folder: the tests get one of their own, which global-teardown.ts removes. */
export default function globalSetup(): void {
  process.env.TMPDIR = fs.mkdtempSync(path.join(os.tmpdir(), 'prefetcher-tests-'));
}
