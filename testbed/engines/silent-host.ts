import * as fs from 'node:fs';
import * as path from 'node:path';
import { Daemon, waitFor } from './processes';
import type { Workspace } from './workspace';
import type { Node } from '../node/node';

/**
 * Listens, but takes up no connection: once the queue of those that wait is full, the kernel drops every packet that would
 * begin another, as a firewall does.
 */
const PROGRAM = `
import socket, sys, time
kept = []
for address in sys.argv[1:]:
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind((address, 443))
    listening.listen(0)
    kept.append(listening)
    for _ in range(2):
        waiting = socket.socket()
        waiting.setblocking(False)
        waiting.connect_ex((address, 443))
        kept.append(waiting)
print('ready', flush=True)
time.sleep(1e6)
`;

let hosts = 0;

/** Gives a host name eight addresses on that node, none of which ever answers. */
export async function silentHost(workspace: Workspace, node: Node, name: string): Promise<void> {
  const number = ++hosts;
  const addresses = [...Array(8).keys()].map(index => `127.91.${number}.${index + 1}`);
  const log = path.join(workspace.folder, `silent-host-${number}.log`);
  const daemon = workspace.track(new Daemon(['python3', '-c', PROGRAM, ...addresses], log));
  await waitFor(`${name} to listen`, () => fs.readFileSync(log, 'utf8').includes('ready') || undefined, 30, () => daemon.logTail);
  fs.appendFileSync(node.hostPath('/etc/hosts'), addresses.map(address => `${address} ${name}\n`).join(''));
}
