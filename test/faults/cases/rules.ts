import type { Fault, FaultRule, ProxiedRequest } from '../../../testbed/engines';

export const status = (code: number, body?: object): Fault => ({ kind: 'status', status: code, body });

/** An error as AWS's JSON APIs answer it. */
export const awsError = (type: string, message: string): Fault => status(400, { __type: type, message });

export const every = (concerns: (request: ProxiedRequest) => boolean, fault: Fault): FaultRule => request => concerns(request) ? fault : undefined;

/** The first so many of the requests that it concerns. */
export function first(times: number, concerns: (request: ProxiedRequest) => boolean, fault: Fault): FaultRule {
  let left = times;
  return request => concerns(request) && left-- > 0 ? fault : undefined;
}

/** A call of an API of AWS. */
export const calls = (action: string) => ({ headers }: ProxiedRequest) => String(headers['x-amz-target']).endsWith(`.${action}`);
