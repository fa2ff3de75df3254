import * as http from 'node:http';
import type * as net from 'node:net';
import { Transform } from 'node:stream';
import type { Stoppable } from '../testbed/engines';

const SLICE_MS = 20;

/** A way to the registry that lets so many megabytes a second through: nodes on one machine then don't share more than nodes on many do. */
export class ThrottledWay implements Stoppable {
  private readonly server: http.Server;
  private free = 0;

  constructor(private readonly target: string, private readonly megabytesPerSecond: number) {
    this.server = http.createServer((request, response) => this.pass(request, response));
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as net.AddressInfo).port}`;
  }

  start(): Promise<void> {
    return new Promise(resolve => this.server.listen(0, '127.0.0.1', resolve));
  }

  stop(): Promise<void> {
    return new Promise(resolve => {
      this.server.close(() => resolve());
      this.server.closeAllConnections();
    });
  }

  private pass(request: http.IncomingMessage, response: http.ServerResponse): void {
    const upstream = http.request(`${this.target}${request.url}`, { method: request.method, headers: request.headers }, answer => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(this.slowly()).pipe(response);
    });
    upstream.on('error', () => request.socket.destroy());
    response.on('close', () => upstream.destroy());
    request.pipe(upstream);
  }

  /** All connections take their turn on the one way: each piece waits until those before it would be through. */
  private slowly(): Transform {
    return new Transform({
      transform: (piece: Buffer, _, done) => {
        const now = performance.now();
        this.free = Math.max(this.free, now) + piece.length / this.megabytesPerSecond / 1000;
        if (this.free - now < SLICE_MS) done(undefined, piece);
        else setTimeout(() => done(undefined, piece), this.free - now);
      },
    });
  }
}
