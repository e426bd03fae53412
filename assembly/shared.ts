import type { ReadOnlyDependencies } from '../activities/dependencies';
import { WorkerClock } from '../activities/steps/clock';
import type { ReadOnlyDatabase } from '../database/connection';
import { BunkerRelayLimits } from '../nostr/bunker/bunker-relay-limits';
import { RelayPool } from '../nostr/relays/pool';
import { RelayPublisher, type PublisherOptions } from '../nostr/relays/publisher';
import { OperatorSigners } from '../nostr/signers/operator-signers';
import { fingerprintKeyOf } from './limits';
import { type Parts, sourceFor } from './parts';
import type { WorkerConfiguration } from './worker-configuration';

/** Called while they work. */
export interface Listeners {
  onNotice?: (url: string, notice: string) => void;
  onMalformed?: () => void;
  onStanding?: NonNullable<PublisherOptions['onStanding']>;
  onClockDoubt?: (names: string) => void;
  onIdleError?: (error: Error) => void;
}

/**
 * Builds what workers and inspections have in common. Opens no connection yet.
 *
 * @param database the ledger's. If LNbits' tables are in the same database, they are read over its
 *   connections
 */
export function buildShared(
  configuration: WorkerConfiguration,
  parts: Parts,
  database: ReadOnlyDatabase,
  listeners: Listeners = {},
): {
  shared: Omit<ReadOnlyDependencies, 'database'> & { publisher: RelayPublisher };
  close(): Promise<void>;
} {
  const { onNotice, onMalformed, onStanding, onClockDoubt = () => undefined, onIdleError } = listeners;
  const { relays, quorum, signers, queries } = configuration;
  const pool = new RelayPool({
    ...(onNotice === undefined ? {} : { onNotice }),
    ...(onMalformed === undefined ? {} : { onMalformed }),
  });
  const publisher = new RelayPublisher({
    pool,
    relays,
    quorum,
    replyTimeoutMs: configuration.relayTimeoutMs,
    ...(onStanding === undefined ? {} : { onStanding }),
  });
  const bunkerRelays = new BunkerRelayLimits(configuration.allowPrivateBunkerRelays);
  const source = sourceFor(configuration, parts, {
    ledger: { url: configuration.databaseUrl, database },
    ...(onIdleError === undefined ? {} : { onIdleError }),
  });
  const { custom = [], documentTypes } = parts;
  const isByOperators = queries.operators !== undefined || signers === 'lnbits' || custom.length > 0;
  return {
    shared: {
      source,
      operatorsFrom: parts.operatorsFrom ?? (isByOperators ? 'source' : 'ledger'),
      documentTypes,
      operatorSigners: new OperatorSigners({
        signers,
        bunkerRelays: configuration.lnbitsBunkerRelays,
        accounts: source,
        custom,
      }),
      publisher,
      bunkerRelays,
      clock: new WorkerClock({
        database,
        relays,
        askAgainMs: configuration.retryIntervalMs,
        onDoubt: onClockDoubt,
      }),
      fingerprintKey: fingerprintKeyOf(configuration.secretsKey),
      maxStateBytes: configuration.maxStateBytes,
    },
    close: async () => {
      publisher.close();
      bunkerRelays.close();
      pool.close();
      await source.close();
    },
  };
}
