import prices from './prices.json';

/** The way that layers take to the nodes, and what a gigabyte costs on it. */
export const ROUTES = {
  's3-gateway-endpoint': prices.s3GatewayEndpointGigabyte.price,
  'nat-gateway': prices.natGigabyte.price,
} as const;

export type Route = keyof typeof ROUTES;

export interface PushCostProps {
  readonly nodes: number;
  readonly gigabytes: number;
  readonly route: Route;
  readonly prefetchers: number;
  /** Bytes that one node's report puts into the log group. */
  readonly reportBytes: number;
}

export interface PushCost {
  readonly automation: number;
  readonly traffic: number;
  readonly logs: number;
  readonly total: number;
}

/** What one push costs in USD, as it is on the bill: hours of gateways and endpoints, which are there anyway, left out. */
export function pushCost({ nodes, gigabytes, route, prefetchers, reportBytes }: PushCostProps): PushCost {
  const automation = prefetchers * prices.automationStep.price;
  const traffic = nodes * gigabytes * ROUTES[route];
  const logs = nodes * reportBytes / 1e9 * prices.logsGigabyte.price;
  return { automation, traffic, logs, total: automation + traffic + logs };
}

/** What a month of reconciles costs in USD when there is nothing to do. */
export function reconcileCost(nodes: number, everyMinutes: number, reportBytes: number): number {
  const runs = nodes * 30 * 24 * 60 / everyMinutes;
  return runs * reportBytes / 1e9 * prices.logsGigabyte.price;
}
