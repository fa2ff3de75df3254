import * as crypto from 'node:crypto';
import * as dgram from 'node:dgram';
import type { Workspace } from '../../testbed/engines';

/** What of a query is needed to answer it: RFC 1035, section 4. */
const HEADER = 12;
const TYPE_A = 1;
const LOOPBACK = [127, 0, 0, 1];

/** A name server of one node: every name is this machine. */
export class NameServer {
  /** What it does with queries: `silent` as when its network is gone, `fails` with SERVFAIL. */
  mode: 'answers' | 'silent' | 'fails' = 'answers';
  /** The names that were asked for, one for each question. */
  readonly asked: string[] = [];
  /** Of its own, because resolvers know no other port than 53. */
  readonly address = `127.${[...crypto.randomBytes(3)].map(byte => 1 + byte % 250).join('.')}`;
  private readonly socket = dgram.createSocket('udp4');

  constructor(workspace: Workspace) {
    this.socket.on('message', (query, { port, address }) => {
      this.asked.push(nameIn(query));
      if (this.mode !== 'silent') {
        this.socket.send(answer(query, this.mode === 'fails'), port, address);
      }
    });
    workspace.track(this);
  }

  start(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.socket.once('error', reject);
      this.socket.bind(53, this.address, resolve);
    });
  }

  stop(): Promise<void> {
    return new Promise(resolve => this.socket.close(() => resolve()));
  }
}

/** Each part of a name stands behind its length, an empty one ends it. */
function partsOf(query: Buffer): Buffer[] {
  const parts: Buffer[] = [];
  for (let at = HEADER; query[at] !== 0; at += query[at] + 1) {
    parts.push(query.subarray(at + 1, at + 1 + query[at]));
  }
  return parts;
}

function nameIn(query: Buffer): string {
  return partsOf(query).join('.').toLowerCase();
}

function answer(query: Buffer, fails: boolean): Buffer {
  const end = HEADER + partsOf(query).reduce((sum, part) => sum + 1 + part.length, 0);
  const question = query.subarray(HEADER, end + 5);
  const known = !fails && question.readUInt16BE(question.length - 4) === TYPE_A;
  const header = Buffer.from([query[0], query[1], 0x81, fails ? 0x82 : 0x80, 0, 1, 0, known ? 1 : 0, 0, 0, 0, 0]);
  // The name is a pointer to the question's; class IN; kept for no time.
  const record = Buffer.from([0xc0, HEADER, 0, TYPE_A, 0, 1, 0, 0, 0, 0, 0, LOOPBACK.length, ...LOOPBACK]);
  return Buffer.concat([header, question, ...known ? [record] : []]);
}
