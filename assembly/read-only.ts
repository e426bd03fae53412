import type { ReadOnlyDependencies } from '../activities/dependencies';
import { openReadOnlyDatabase } from '../database/connection';
import type { RelayPublisher } from '../nostr/relays/publisher';
import type { Parts } from './parts';
import { buildShared } from './shared';
import type { WorkerConfiguration } from './worker-configuration';

/** Builds the dependencies of an inspection. Opens no connection yet. */
export function buildReadOnly(
  configuration: WorkerConfiguration,
  parts: Parts,
): { dependencies: ReadOnlyDependencies; close(): Promise<void> } {
  const database = openReadOnlyDatabase({ url: configuration.databaseUrl });
  const { shared, close } = buildShared(configuration, parts, database);
  return {
    dependencies: { ...shared, database, publisher: readOnlyPublisher(shared.publisher) },
    close: async () => {
      await close();
      await database.close();
    },
  };
}

/** A publisher without the functions that send, also for code that the compiler does not check. */
export function readOnlyPublisher(publisher: RelayPublisher): ReadOnlyDependencies['publisher'] {
  return {
    required: publisher.required,
    look: (...asked) => publisher.look(...asked),
    impossibleBecause: (...asked) => publisher.impossibleBecause(...asked),
  };
}
