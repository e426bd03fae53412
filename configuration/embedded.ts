/**
 * Servers that this program runs itself (a data folder), in place of those that the environment and the file
 * name.
 */
export interface EmbeddedServers {
  /** Postgres, for the ledger. */
  databaseUrl: string;
  /** host:port; absent while no Temporal runs. */
  temporalAddress?: string;
  /** Holds the key that encrypts the signers, where none is configured. */
  secretsKeyFile: string;
}

let servers: EmbeddedServers | undefined;

/** From now on the configuration of this process means these servers. Only the command line calls it. */
export function useEmbeddedServers(given: EmbeddedServers): void {
  servers = given;
}

export function embeddedServers(): EmbeddedServers | undefined {
  return servers;
}
