// Languages that are generated, not published: nothing in the API may rule them out.
import * as fs from 'node:fs';
import * as path from 'node:path';
import { dotnetProject, goModule } from './built';
import { shell } from './shell';
import type { Workshop } from './twin';

export async function goCompiles(workshop: Workshop): Promise<string> {
  const folder = workshop.emptyFolder('go');
  fs.cpSync(goModule(), folder, { recursive: true });
  // Without the optimiser: the classes of aws-cdk-lib are many.
  await shell(folder, 'go build -gcflags=all="-N -l" ./...', { GOFLAGS: '-mod=mod' });
  return 'generated and compiled';
}

export async function dotnetIsGenerated(): Promise<string> {
  const folder = path.join(path.dirname(dotnetProject()), 'EksImagePrefetcher');
  const classes = fs.readdirSync(folder).filter(file => file.endsWith('.cs'));
  if (!classes.includes('ImagePrefetcher.cs')) {
    throw new Error(`no ImagePrefetcher.cs, only ${classes.join(', ')}`);
  }
  return `${classes.length} classes generated, not compiled: no .NET compiler is asked for`;
}
