import { every, first, status } from './rules';
import type { FaultRule } from '../../../testbed/engines';
import type { FaultCase } from '../fault-case';
import { isLayer, isManifest } from '../node-scene';
import type { Scene } from '../scene';

const registry = (rule: () => FaultRule) => ({ registry: proxy }: Scene) => { proxy.fault = rule(); };

/** The registry fails, in manifests and in layers; so many times that containerd alone, which asks a few times, gives up. */
export const REGISTRY: FaultCase[] = [
  {
    fault: 'The registry answers 500 to manifests, for a while',
    inject: registry(() => first(5, isManifest, status(500))),
    status: 'Success',
    outcome: 'pulled',
  },
  {
    fault: 'The registry answers 500 to every manifest',
    inject: registry(() => every(isManifest, status(500))),
    status: 'Failed',
    outcome: 'failed',
    says: /500 Internal Server Error/,
  },
  {
    fault: 'The registry answers 500 to layers, for a while',
    inject: registry(() => first(6, isLayer, status(500))),
    status: 'Success',
    outcome: 'pulled',
  },
  {
    fault: 'The registry answers 429 (too many requests) to manifests, for a while',
    inject: registry(() => first(12, isManifest, status(429))),
    status: 'Success',
    outcome: 'pulled',
  },
  {
    fault: 'The registry answers 429 to every layer',
    inject: registry(() => every(isLayer, status(429))),
    status: 'Failed',
    outcome: 'failed',
    says: /429 Too Many Requests/,
  },
  {
    fault: 'The registry hangs before a manifest',
    seconds: 60,
    inject: registry(() => every(isManifest, { kind: 'stall' })),
    status: 'Failed',
    outcome: 'failed',
    says: /failed: the pull of \S+ gave no answer within [0-9.]+ s \(TimeoutSeconds is over\).*timedOut/,
  },
  {
    fault: 'The registry hangs in the middle of a layer',
    seconds: 60,
    inject: registry(() => every(isLayer, { kind: 'stall', afterBytes: 100_000 })),
    status: 'Failed',
    outcome: 'failed',
    says: /failed: the pull of \S+ gave no answer within [0-9.]+ s \(TimeoutSeconds is over\).*timedOut/,
  },
  {
    fault: 'The registry sends layers so slowly that the image takes longer than the time limit',
    seconds: 60,
    inject: registry(() => every(isLayer, { kind: 'trickle', bytesPerSecond: 2_000 })),
    status: 'Failed',
    outcome: 'failed',
    says: /failed: the pull of \S+ gave no answer within [0-9.]+ s \(TimeoutSeconds is over\).*timedOut/,
  },
  {
    fault: 'The registry sends manifests slowly',
    inject: registry(() => every(isManifest, { kind: 'trickle', bytesPerSecond: 500 })),
    status: 'Success',
    outcome: 'pulled',
  },
  {
    fault: 'The registry resets connections in the middle of layers, for a while',
    inject: registry(() => first(4, isLayer, { kind: 'reset', afterBytes: 300_000 })),
    status: 'Success',
    outcome: 'pulled',
  },
  {
    fault: 'The registry resets every connection for a manifest',
    inject: registry(() => every(isManifest, { kind: 'reset', afterBytes: 0 })),
    status: 'Failed',
    outcome: 'failed',
    says: /EOF|connection reset/,
  },
  {
    fault: 'Every layer arrives damaged',
    inject: registry(() => every(isLayer, { kind: 'corrupt' })),
    status: 'Failed',
    outcome: 'failed',
    says: /digest/,
  },
  {
    fault: 'A layer arrives damaged, once',
    inject: registry(() => first(1, isLayer, { kind: 'corrupt' })),
    status: 'Success',
    outcome: 'pulled',
  },
  {
    fault: 'Every manifest arrives damaged',
    inject: registry(() => every(isManifest, { kind: 'corrupt' })),
    status: 'Failed',
    outcome: 'failed',
    says: /digest|invalid character/,
  },
  {
    fault: 'The token expires after the manifest, before the layers (403)',
    inject: registry(() => every(isLayer, status(403, { errors: [{ code: 'DENIED', message: 'Your authorization token has expired. Reauthenticate and try again.' }] }))),
    status: 'Failed',
    outcome: 'failed',
    says: /403 Forbidden/,
  },
  {
    fault: 'The registry denies everything (403)',
    inject: registry(() => every(() => true, status(403))),
    status: 'Failed',
    outcome: 'failed',
    says: /403 Forbidden/,
  },
];
