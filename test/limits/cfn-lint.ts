import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { pythonTool } from '../../testbed/engines/cache';

/** What is CDK's own and no prefetcher's. */
const NOT_OURS = [
  'W3005', // aws-eks-v2 adds dependencies that its references already are.
  'W3010', // A stack with a region that CDK has not looked up has made-up availability zones.
];

/** Why cfn-lint can't run on this machine; undefined when it can. */
export function whyNoCfnLint(): string | undefined {
  return fs.existsSync(pythonTool('cfn-lint')) ? undefined : `cfn-lint is not in ${pythonTool('cfn-lint')}: run testbed/setup.sh`;
}

/** What cfn-lint finds in these templates: errors and warnings, one a line. */
export function cfnLint(templateFiles: string[]): string[] {
  const { status, stdout, stderr } = spawnSync(pythonTool('cfn-lint'), ['--format', 'parseable', '--ignore-checks', ...NOT_OURS, '--', ...templateFiles], {
    encoding: 'utf8',
    maxBuffer: 1e8,
  });
  if (status === null || stderr) {
    throw new Error(`cfn-lint could not run: ${stderr}`);
  }
  return stdout.split('\n').filter(line => line !== '');
}
