import type { ReadOnlyDependencies } from '../activities/dependencies';
import { buildReadOnly } from '../assembly/read-only';
import { type GivenParts, type Parts, withParts } from '../assembly/parts';
import type { SignerContext } from '../pairing/facts';
import type { WorkerConfiguration } from '../assembly/worker-configuration';

/** The dependencies of an inspection. It cannot write, send or sign: nothing in here does that. */
export interface InspectionDependencies extends ReadOnlyDependencies {
  configuration: WorkerConfiguration;
  /** Needed to ask a signer for its key. */
  parts: Parts;
}

/**
 * Lends what a worker would use: the same configuration, document types, signer providers and source.
 *
 * @param given replaces what the configuration names
 */
export function withInspection<T>(
  configuration: WorkerConfiguration,
  given: GivenParts,
  look: (deps: InspectionDependencies) => Promise<T>,
): Promise<T> {
  return withParts(configuration, given, async (parts) => {
    const { dependencies, close } = buildReadOnly(configuration, parts);
    try {
      return await look({ ...dependencies, configuration, parts });
    } finally {
      await close();
    }
  });
}

/** What is needed to find an operator's signer and to ask it. */
export function signerContext({
  database,
  configuration,
  source,
  parts,
}: InspectionDependencies): Omit<SignerContext, 'operatorUserId' | 'say'> {
  return { database, configuration, accounts: source, custom: parts.custom };
}
