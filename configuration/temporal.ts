import { type ClientConnectConfig, loadClientConnectConfig } from '@temporalio/envconfig';
import { type EmbeddedServers, embeddedServers } from './embedded';
import { ConfigurationError } from './load';

/**
 * How to reach Temporal, from TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, TLS, API key and profiles
 * (@temporalio/envconfig).
 */
export interface TemporalConfiguration {
  connection: ClientConnectConfig['connectionOptions'];
  namespace: string;
  address: string;
}

/**
 * gRPC in Node reads `https_proxy` and similar variables, but only in lower case; the worker's connection
 * (Temporal's Rust core) reads none. A client could then fail where the worker runs. So no `Connection` here
 * uses a proxy.
 */
export const WITHOUT_PROXY = { 'grpc.enable_http_proxy': 0 };

const DEFAULT_ADDRESS = 'localhost:7233';

/**
 * Reads it from an environment. Default: that of the process, unless the servers of a data folder are in use.
 *
 * @throws ConfigurationError when a profile or certificate cannot be read; Error when the data folder runs
 *   only Postgres
 */
export function loadTemporalConfiguration(env?: NodeJS.ProcessEnv): TemporalConfiguration {
  const embedded = env === undefined ? embeddedServers() : undefined;
  if (embedded !== undefined) return ofEmbedded(embedded);
  const { connectionOptions, namespace } = fromVariables(definedOnly(env ?? process.env));
  return {
    connection: connectionOptions,
    namespace: namespace ?? 'default',
    address: connectionOptions.address ?? DEFAULT_ADDRESS,
  };
}

function fromVariables(variables: Record<string, string>): ClientConnectConfig {
  try {
    return loadClientConnectConfig({ overrideEnvVars: variables });
  } catch (thrown) {
    const { code, path, message } = thrown as NodeJS.ErrnoException;
    if (path === undefined)
      throw new ConfigurationError([`how to reach Temporal cannot be read: ${message}`]);
    const named = Object.keys(variables).find((name) => variables[name] === path);
    throw new ConfigurationError([
      `${named?.startsWith('TEMPORAL_') ? named : 'the Temporal profile'} names ${path}, which cannot be ` +
        `read (${code})`,
    ]);
  }
}

/** Namespace, TLS and API key of the environment belong to a cluster, not to the server of a data folder. */
function ofEmbedded({ temporalAddress: address }: EmbeddedServers): TemporalConfiguration {
  if (address === undefined) throw new Error('the data folder has no Temporal running now');
  return { connection: { address }, namespace: 'default', address };
}

function definedOnly(env: NodeJS.ProcessEnv): Record<string, string> {
  return Object.fromEntries(
    Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
}
