import pino from 'pino';
import type { ActivityDependencies } from '../activities/dependencies';
import { publishedTypes } from '../database/ledger/documents';
import { buildDependencies, documentTypesOf, type WorkerConfiguration } from '../worker/build-dependencies';

/** Types of which the ledger has documents under a key, and which this process does not know. */
export async function unknownTypesInLedger(
  deps: ActivityDependencies,
  operatorPubkey: string,
): Promise<string[]> {
  const known = new Set(deps.documentTypes.map(({ type }) => type));
  return (await publishedTypes(deps.database, operatorPubkey)).filter((type) => !known.has(type));
}

/**
 * Lends what a worker works with, so that an inspection sees what a worker would see. Nothing of it may be used to write, and
 * its keyring not at all: even a question to a bunker can end in a row that says where the bunker has moved.
 */
export async function withWorkersEyes<T>(
  configuration: WorkerConfiguration,
  look: (deps: ActivityDependencies) => Promise<T>,
): Promise<T> {
  const documentTypes = await documentTypesOf(configuration);
  const { dependencies, close } = buildDependencies(configuration, documentTypes, pino({ level: 'silent' }));
  try {
    return await look(dependencies);
  } finally {
    await close();
  }
}
