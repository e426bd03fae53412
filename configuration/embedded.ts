/** The servers of a data folder, which replace those that the environment and the file name. */
export interface EmbeddedServers {
  /** Postgres, for the ledger. */
  databaseUrl: string;
  /** host:port; absent while no Temporal runs. */
  temporalAddress?: string;
  /** File with the secrets key, used when none is configured. */
  secretsKeyFile: string;
}

let servers: EmbeddedServers | undefined;

/** From now on this process uses these servers. Only the command line calls it. */
export function useEmbeddedServers(given: EmbeddedServers): void {
  servers = given;
}

export function embeddedServers(): EmbeddedServers | undefined {
  return servers;
}
