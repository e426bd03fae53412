import pino from 'pino';
import type { ActivityDependencies } from '../activities/dependencies';
import { buildDependencies, documentTypesOf, type WorkerConfiguration } from '../assembly/build-dependencies';

/**
 * Lends what a worker works with, so that an inspection sees what a worker would see. Nothing of it may be
 * used to write, and its keyring not at all: even a question to a bunker can end in a row that says where the
 * bunker has moved.
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
