import pino from 'pino';
import type { ActivityDependencies } from '../activities/dependencies';
import { suggest } from '../contract/suggest';
import { RepublishError } from '../contract/failures';
import { documentTypes } from '../documents/registry';
import { buildDependencies, type WorkerConfiguration } from '../worker/build-dependencies';

/**
 * Lends what a worker works with, so that an inspection sees what a worker would see. Nothing of it may be used to write, and
 * its keyring not at all: even a question to a bunker can end in a row that says where the bunker has moved.
 */
export async function withWorkersEyes<T>(
  configuration: WorkerConfiguration,
  look: (deps: ActivityDependencies) => Promise<T>,
): Promise<T> {
  const { dependencies, close } = buildDependencies(configuration, documentTypes, pino({ level: 'silent' }));
  try {
    return await look(dependencies);
  } finally {
    await close();
  }
}

/** @throws RepublishError UnknownDocumentType that says what was meant */
export function requireKnownTypes(requested: readonly string[] | undefined): void {
  const known = documentTypes.map(({ type }) => type);
  const unknown = (requested ?? []).filter((type) => !known.includes(type));
  if (unknown.length === 0) return;
  const named = unknown.map((type) => {
    const meant = suggest(type, known);
    return `"${type}"${meant === undefined ? '' : ` (did you mean ${meant}?)`}`;
  });
  throw new RepublishError(
    'UnknownDocumentType',
    `unknown document type ${named.join(', ')}; known are ${known.join(', ')}`,
  );
}
