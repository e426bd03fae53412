import { type ClientConnectConfig, loadClientConnectConfig } from '@temporalio/envconfig';

/** How to reach Temporal, from TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, TLS, API key and profiles (@temporalio/envconfig). */
export interface TemporalConfiguration {
  connection: ClientConnectConfig['connectionOptions'];
  namespace: string;
  address: string;
}

const DEFAULT_ADDRESS = 'localhost:7233';

export function loadTemporalConfiguration(env: NodeJS.ProcessEnv = process.env): TemporalConfiguration {
  const { connectionOptions, namespace } = loadClientConnectConfig({ overrideEnvVars: definedOnly(env) });
  return {
    connection: connectionOptions,
    namespace: namespace ?? 'default',
    address: connectionOptions.address ?? DEFAULT_ADDRESS,
  };
}

function definedOnly(env: NodeJS.ProcessEnv): Record<string, string> {
  return Object.fromEntries(
    Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
}
