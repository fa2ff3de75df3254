import * as fs from 'node:fs';

export default function globalTeardown(): void {
  fs.rmSync(process.env.TMPDIR!, { recursive: true, force: true });
}
