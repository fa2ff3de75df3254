import { spawn } from 'node:child_process';

/** Runs a command to its end, and returns what it printed; fails with the end of that. */
export async function shell(cwd: string, command: string, env: NodeJS.ProcessEnv = {}): Promise<string> {
  const { code, output } = await attempt(cwd, command, env);
  if (code !== 0) {
    throw new Error(`'${command}' exited with ${code}:\n${output.split('\n').slice(-40).join('\n')}`);
  }
  return output;
}

/** Runs a command that may fail. */
export function attempt(cwd: string, command: string, env: NodeJS.ProcessEnv = {}): Promise<{ code: number | null; output: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn('bash', ['-c', command], {
      cwd,
      env: { ...process.env, JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION: '1', JSII_SILENCE_WARNING_DEPRECATED_NODE_VERSION: '1', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    child.stdout.on('data', chunk => output += chunk);
    child.stderr.on('data', chunk => output += chunk);
    child.on('error', reject);
    child.on('close', code => resolve({ code, output }));
  });
}
