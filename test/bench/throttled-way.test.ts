import * as crypto from 'node:crypto';
import * as http from 'node:http';
import type * as net from 'node:net';
import { ThrottledWay } from '../../bench/throttled-way';

test('what comes through a throttled way is what was sent, with its status and headers', async () => {
  const body = crypto.createHash('sha512').update('seed').digest().toString('hex').repeat(4_000);
  const server = http.createServer((request, response) => {
    response.writeHead(request.url === '/there' ? 200 : 404, { 'docker-content-digest': 'sha256:abc' });
    response.end(body);
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const way = new ThrottledWay(`http://127.0.0.1:${(server.address() as net.AddressInfo).port}`, 100);
  await way.start();
  try {
    const answers = await Promise.all(['/there', '/there', '/gone'].map(path => fetch(`${way.url}${path}`)));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 404]);
    expect(answers[0].headers.get('docker-content-digest')).toBe('sha256:abc');
    expect(await Promise.all(answers.map(answer => answer.text()))).toEqual([body, body, body]);
  } finally {
    await way.stop();
    await new Promise(resolve => server.close(resolve));
  }
});
