import { awsError, calls, every, status } from './rules';
import { OF_CONTAINERD } from './runtime';
import type { GateCase } from '../gate-case';
import { isLayer } from '../node-scene';

const isDocument = calls('GetDocument');
const inTheMiddleOfALayer = every(isLayer, { kind: 'stall', afterBytes: 100_000 });
const FILLER = '/var/lib/containerd/filler';
const PYTHON = '/usr/bin/python3';

/** The boot gate opens, whatever happens: each is a node that boots with systemd and cloud-init, and joins. */
export const GATE: GateCase[] = [
  {
    fault: 'Boot gate: the registry hangs in the middle of a layer',
    inject: ({ ways }) => { ways.registry.fault = inTheMiddleOfALayer; },
    opens: 'atItsBound',
    says: /failed: .*timedOut; exit code 1: images are missing, the kubelet starts without them/,
    alarms: ['Failures', 'GateTimeouts'],
  },
  {
    fault: 'Boot gate: the node may not call ssm:GetDocument',
    inject: ({ ways }) => {
      ways.ssm.fault = every(isDocument, awsError('AccessDeniedException', 'User: arn:aws:sts::123456789012:assumed-role/node is not authorized to perform: ssm:GetDocument'));
    },
    opens: 'atOnce',
    says: /the boot gate failed: cannot fetch the SSM document .*not authorized to perform: ssm:GetDocument/,
    alarms: ['Failures'],
  },
  {
    fault: 'Boot gate: Systems Manager cannot be reached',
    inject: ({ ways }) => { ways.ssm.fault = every(() => true, { kind: 'stall' }); },
    opens: 'atItsBound',
    says: /the boot gate failed: cannot fetch the SSM document .*timed out/,
    alarms: ['Failures'],
  },
  {
    fault: 'Boot gate: Systems Manager answers nonsense',
    inject: ({ ways }) => { ways.ssm.fault = every(isDocument, status(200, { Content: 'nonsense' })); },
    opens: 'atItsBound',
    says: /the boot gate failed: cannot fetch the SSM document .*Expecting value/,
    alarms: ['Failures'],
  },
  {
    fault: 'Boot gate: the metadata service takes 0.2 seconds for each answer',
    inject: ({ ways }) => { ways.metadata.fault = every(() => true, { kind: 'delay', milliseconds: 200 }); },
    opens: 'withTheImage',
    says: /^pulled$/,
    alarms: [],
  },
  {
    fault: 'Boot gate: the node program is killed (KILL) in the middle of a pull',
    inject: ({ ways }) => { ways.registry.fault = inTheMiddleOfALayer; },
    meanwhile: async scene => {
      await scene.inTheMiddle();
      await scene.on(`kill -KILL ${scene.programs().map(({ pid }) => pid).join(' ')}`);
    },
    opens: 'atOnce',
    says: /exit code 137: images are missing/,
    alarms: ['Failures', 'GateTimeouts'],
  },
  {
    fault: 'Boot gate: the disk for images is nearly full',
    imageDiskMegabytes: 600,
    userData: `fallocate -l 500M ${FILLER}`,
    heal: scene => scene.on(`rm ${FILLER}`),
    opens: 'atOnce',
    says: /refused: the disk is \d+\.\d% full of 0\.\d GiB, .*MaxDiskUsage is 75%/,
    alarms: ['Refusals'],
  },
  {
    fault: 'Boot gate: Python is missing',
    userData: `mv ${PYTHON} ${PYTHON}.away`,
    // Nothing can report it, so the run that follows must not be healed to see what is seen.
    lasts: true,
    heal: scene => scene.on(`mv ${PYTHON}.away ${PYTHON}`),
    opens: 'atOnce',
    says: /exit code 127: images are missing/,
    alarms: ['MissingReports'],
  },
  {
    fault: 'Boot gate: CloudWatch Logs cannot be reached',
    inject: ({ ways }) => { ways.logs.fault = every(() => true, { kind: 'stall' }); },
    opens: 'withTheImage',
    says: /^pulled; unreported: /,
    alarms: [],
  },
  {
    fault: 'Boot gate: the node boots again in the middle of a pull',
    inject: ({ ways }) => { ways.registry.fault = inTheMiddleOfALayer; },
    meanwhile: async scene => {
      await scene.inTheMiddle();
      scene.ways.calm();
      await scene.node.restart();
    },
    leaves: OF_CONTAINERD,
    opens: 'withTheImage',
    says: /^pulled$/,
    alarms: [],
  },
];
