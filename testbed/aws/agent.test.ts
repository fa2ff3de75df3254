import { asReported } from './agent';

const command = { script: 'true\n', env: {}, timeoutSeconds: 600 };
const end = (exitCode: number, more = {}) => asReported({ exitCode, stdout: 'out', stderr: 'err', seconds: 1, ...more }, command);

test.each([
  [0, 'Success'], [1, 'Failed'], [-1, 'Failed'], [168, 'Success'], [137, 'ExecutionTimedOut'], [194, 'Failed'],
])('a script that ends with exit code %i is %s', (exitCode, status) => {
  expect(end(exitCode)).toMatchObject({ status, output: { exitCode, stdout: 'out' } });
});

test('exit code 168 takes the standard error away', () => {
  expect(end(168).output.stderr).toBe('');
  expect(end(1).output.stderr).toBe('err');
});

test.each(['stdout', 'stderr'] as const)('of %s 23,999 characters are kept, and with one more the end is lost', name => {
  const kept = (length: number) => end(0, { [name]: 'x'.repeat(length) }).output[name];
  expect(kept(23_999)).toBe('x'.repeat(23_999));
  expect(kept(24_000)).toBe(`${'x'.repeat(23_980)}--output truncated--`);
  expect(kept(100_000)).toBe(`${'x'.repeat(23_980)}--output truncated--`);
});
