import * as http from 'node:http';
import * as net from 'node:net';
import { Workspace } from './workspace';

/** What goes wrong with one request. */
export type Fault =
  | { readonly kind: 'status'; readonly status: number }
  /** Headers and body never come. */
  | { readonly kind: 'stall' }
  /** The connection breaks, after that much of the body. */
  | { readonly kind: 'reset'; readonly afterBytes: number };

export interface ProxiedRequest {
  readonly method: string;
  readonly path: string;
  /** 1 for the first request to this method and path, 2 for the next. */
  readonly attempt: number;
}

/** Decides for each request; undefined lets it pass. */
export type FaultRule = (request: ProxiedRequest) => Fault | undefined;

const NO_FAULT: FaultRule = () => undefined;

/** A proxy in front of a registry or API, or one that HTTP clients are told to use, that can let requests fail in chosen ways. */
export class FaultProxy {
  fault = NO_FAULT;
  readonly requests: ProxiedRequest[] = [];
  private readonly server: http.Server;

  constructor(workspace: Workspace, private readonly target: { readonly url: string }) {
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
    const proxied = { method, path: url, attempt };
    this.requests.push(proxied);
    const fault = this.fault(proxied);
    if (fault?.kind === 'stall') {
      return;
    }
    if (fault?.kind === 'status') {
      response.writeHead(fault.status, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ errors: [{ code: 'TESTBED', message: `answered ${fault.status} on purpose` }] }));
      return;
    }
    const upstream = http.request(`${this.target.url}${url}`, { method, headers: request.headers }, answer => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      if (fault?.kind === 'reset') {
        let passed = 0;
        answer.on('data', (data: Buffer) => {
          passed += data.length;
          response.write(data);
          if (passed >= fault.afterBytes) {
            request.socket.resetAndDestroy();
          }
        });
        answer.on('end', () => request.socket.resetAndDestroy());
      } else {
        answer.pipe(response);
      }
    });
    upstream.on('error', () => request.socket.destroy());
    response.on('close', () => upstream.destroy());
    request.pipe(upstream);
  }
}
