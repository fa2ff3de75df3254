import * as http from 'node:http';
import type * as net from 'node:net';
import { pipeline } from 'node:stream';
import { sleep } from './processes';
import type { Stoppable, Workspace } from './workspace';

const SLICE_MS = 20;

/** What goes wrong with one request. */
export type Fault =
  /** Answered without asking. @default - a body as registries have for errors */
  | { readonly kind: 'status'; readonly status: number; readonly body?: object }
  /** Nothing comes; with `afterBytes`, nothing after that much of the body until there is another rule. */
  | { readonly kind: 'stall'; readonly afterBytes?: number }
  /** The connection breaks, after that much of the body. */
  | { readonly kind: 'reset'; readonly afterBytes: number }
  /** The answer comes late. */
  | { readonly kind: 'delay'; readonly milliseconds: number }
  /** The body comes slowly. */
  | { readonly kind: 'trickle'; readonly bytesPerSecond: number }
  /** The first byte of the body is another one. */
  | { readonly kind: 'corrupt' };

export interface ProxiedRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: http.IncomingHttpHeaders;
  /** 1 for the first request to this method and path, 2 for the next. */
  readonly attempt: number;
}

/** Decides for each request; undefined lets it pass. */
export type FaultRule = (request: ProxiedRequest) => Fault | undefined;

const NO_FAULT: FaultRule = () => undefined;

/** A proxy in front of a registry or API, or one that HTTP clients are told to use, that can let requests fail in chosen ways, and be slow. */
export class FaultProxy implements Stoppable {
  fault = NO_FAULT;
  readonly requests: ProxiedRequest[] = [];
  /** How many answers stand still half-way. */
  stalled = 0;
  private readonly server: http.Server;
  /** When the way of so many megabytes a second is free again, which all answers share. */
  private free = 0;

  constructor(workspace: Pick<Workspace, 'track'>, private readonly target: { readonly url: string }, private readonly megabytesPerSecond = Infinity) {
    this.server = http.createServer((request, response) => this.handle(request, response));
    workspace.track(this);
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

  private handle(request: http.IncomingMessage, response: http.ServerResponse): void {
    const { method = 'GET' } = request;
    // A client whose proxy this is names the host, too.
    const url = request.url!.replace(/^http:\/\/[^/]+/, '');
    const attempt = 1 + this.requests.filter(seen => seen.method === method && seen.path === url).length;
    const proxied = { method, path: url, headers: request.headers, attempt };
    this.requests.push(proxied);
    // The rule of now: by the time its answer flows, another one may hold, and nothing would end this fault.
    const rule = this.fault;
    const fault = rule(proxied);
    if (fault?.kind === 'stall' && fault.afterBytes === undefined) {
      return;
    }
    if (fault?.kind === 'status') {
      response.writeHead(fault.status, { 'content-type': 'application/json' });
      response.end(JSON.stringify(fault.body ?? { errors: [{ code: 'TESTBED', message: `answered ${fault.status} on purpose` }] }));
      return;
    }
    if (fault?.kind === 'delay') {
      setTimeout(() => this.forward(request, response, url, rule, fault), fault.milliseconds);
      return;
    }
    this.forward(request, response, url, rule, fault);
  }

  private forward(request: http.IncomingMessage, response: http.ServerResponse, url: string, rule: FaultRule, fault: Fault | undefined): void {
    const upstream = http.request(`${this.target.url}${url}`, { method: request.method, headers: request.headers }, answer => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      pipeline(answer, body => this.spoiled(body, rule, fault, response), response, () => undefined);
    });
    upstream.on('error', () => request.socket.destroy());
    response.on('close', () => upstream.destroy());
    request.pipe(upstream);
  }

  /** The body, with what goes wrong in it. */
  private async* spoiled(body: AsyncIterable<Buffer>, rule: FaultRule, fault: Fault | undefined,
    response: http.ServerResponse): AsyncGenerator<Buffer> {
    let passed = 0;
    for await (const data of body) {
      await this.turn(data);
      if (fault?.kind === 'corrupt' && passed === 0) {
        yield Buffer.concat([Buffer.from([data[0] + 1]), data.subarray(1)]);
      } else if (fault?.kind === 'trickle') {
        yield* trickle(data, fault.bytesPerSecond);
      } else {
        yield data;
      }
      passed += data.length;
      if (fault?.kind === 'stall' && passed >= fault.afterBytes!) {
        await this.standStill(rule, response);
      }
      if (fault?.kind === 'reset' && passed >= fault.afterBytes) {
        break;
      }
    }
    if (fault?.kind === 'reset') {
      response.socket?.resetAndDestroy();
    }
  }

  /** Each piece waits until those before it would be through. */
  private async turn(piece: Buffer): Promise<void> {
    const now = performance.now();
    this.free = Math.max(this.free, now) + piece.length / this.megabytesPerSecond / 1000;
    const wait = this.free - now;
    if (wait >= SLICE_MS) {
      await sleep(wait);
    }
  }

  private async standStill(rule: FaultRule, response: http.ServerResponse): Promise<void> {
    this.stalled++;
    while (this.fault === rule && !response.destroyed) {
      await sleep(20);
    }
    this.stalled--;
  }
}

async function* trickle(data: Buffer, bytesPerSecond: number): AsyncGenerator<Buffer> {
  const step = Math.max(1, Math.ceil(bytesPerSecond / 10));
  for (let at = 0; at < data.length; at += step) {
    yield data.subarray(at, at + step);
    await sleep(100);
  }
}
