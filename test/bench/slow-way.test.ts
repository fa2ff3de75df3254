import * as crypto from 'node:crypto';
import * as http from 'node:http';
import type * as net from 'node:net';
import { FaultProxy } from '../../testbed/engines/fault-proxy';

const MEGABYTES_PER_SECOND = 10;

test('what comes by a slow way is what was sent, with its status and headers, and all answers share the way', async () => {
  const body = crypto.createHash('sha512').update('seed').digest().toString('hex').repeat(4_000);
  const server = http.createServer((request, response) => {
    response.writeHead(request.url === '/there' ? 200 : 404, { 'docker-content-digest': 'sha256:abc' });
    response.end(body);
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as net.AddressInfo).port}`;
  const way = new FaultProxy({ track: part => part }, { url }, MEGABYTES_PER_SECOND);
  await way.start();
  try {
    const start = performance.now();
    const answers = await Promise.all(['/there', '/there', '/gone'].map(path => fetch(`${way.url}${path}`)));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 404]);
    expect(answers[0].headers.get('docker-content-digest')).toBe('sha256:abc');
    expect(await Promise.all(answers.map(answer => answer.text()))).toEqual([body, body, body]);
    // The last piece of each answer may go within a slice of its turn.
    expect(performance.now() - start).toBeGreaterThan(3 * body.length / MEGABYTES_PER_SECOND / 1000 - 20);
  } finally {
    await way.stop();
    await new Promise(resolve => server.close(resolve));
  }
});
