import type { Logger } from 'pino';
import type { ActivityDependencies, EndedRun } from '../activities/dependencies';
import type { Telemetry } from '../contract/telemetry';
import { type Database, openDatabase } from '../database/connection';
import { keepBunkerRelays } from '../database/signers';
import { RELAY_CONNECT_TIMEOUT_MS } from '../nostr/relays/pool';
import { shownRelay } from '../nostr/relays/url';
import { Keyring } from '../nostr/signers/keyring';
import { boundsOf } from './limits';
import type { Parts } from './parts';
import { buildShared } from './shared';
import { notices, runEnds, unexpectedErrors } from './worker-log';
import type { WorkerConfiguration } from './worker-configuration';

export interface BuiltDependencies {
  dependencies: ActivityDependencies;
  /** Closes sockets and connections, and wipes keys. */
  close(): Promise<void>;
}

/** Where the activities report what they do. */
export interface Listening {
  logger: Logger;
  telemetry?: Telemetry | undefined;
  onRunEnded?: ((run: EndedRun) => unknown) | undefined;
}

/** Builds everything the activities need from the configuration. Opens no connection yet. */
export function buildDependencies(
  configuration: WorkerConfiguration,
  parts: Parts,
  { logger, telemetry, onRunEnded }: Listening,
): BuiltDependencies {
  const idle = (which: string) => (error: Error) =>
    logger.warn({ reason: error.message }, `a connection to ${which} broke while idle`);
  const database = openDatabase({
    url: configuration.databaseUrl,
    onIdleError: idle('the database'),
    onRepeat: () => telemetry?.transactionRepeated(),
  });
  const keyring = openKeyring(configuration, database, { logger, telemetry });
  const { shared, close } = buildShared(configuration, parts, database, {
    onNotice: notices(logger),
    onMalformed: () => telemetry?.messageDropped('relay'),
    onStanding: (relay, state) => telemetry?.relayAnswered(relay, state),
    onIdleError: idle("LNbits' database"),
    onClockDoubt: (names) =>
      logger.warn({ names }, 'their clocks are more than a minute apart from this one'),
  });
  telemetry?.watchSigners(() => keyring.load());
  return {
    dependencies: {
      ...shared,
      database,
      keyring,
      ...boundsOf(configuration),
      // Known when there is a connection to Temporal.
      searchAttributes: false,
      failpoint: () => undefined,
      onRunEnded: runEnds(logger, telemetry, onRunEnded),
      telemetry,
      onUnexpected: unexpectedErrors(logger),
    },
    close: async () => {
      keyring.close();
      await close();
      await database.close();
    },
  };
}

function openKeyring(
  configuration: WorkerConfiguration,
  database: Database,
  { logger, telemetry }: Pick<Listening, 'logger' | 'telemetry'>,
): Keyring {
  return new Keyring({
    secretsKey: configuration.secretsKey,
    bunkerConcurrency: configuration.bunkerConcurrency,
    bunkerTimeoutMs: configuration.bunkerTimeoutMs,
    approvalTimeoutMs: configuration.approvalTimeoutMs,
    connectTimeoutMs: RELAY_CONNECT_TIMEOUT_MS,
    allowPrivateBunkerRelays: configuration.allowPrivateBunkerRelays,
    ...(telemetry === undefined ? {} : { telemetry }),
    // The address is the operator's secret: it is not logged.
    onApprovalNeeded: (bunkerPubkey) =>
      logger.warn({ bunkerPubkey }, 'the bunker waits for a person to approve a request'),
    onRelaysSwitched: (stored, relays) => {
      const { bunkerPubkey } = stored;
      logger.info({ bunkerPubkey, relays: relays.map(shownRelay) }, 'a bunker has moved');
      keepBunkerRelays(database, stored, relays).catch((err: Error) =>
        // The next process starts at the old relays and asks again.
        logger.warn({ type: err.name }, 'where the bunker has moved to could not be stored'),
      );
    },
  });
}
