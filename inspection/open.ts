import type { ReadOnlyDependencies } from '../activities/dependencies';
import { buildReadOnly } from '../assembly/read-only';
import { type GivenParts, type Parts, withParts } from '../assembly/parts';
import type { SignerContext } from '../pairing/facts';
import type { WorkerConfiguration } from '../assembly/worker-configuration';

/** What an inspection looks with. It cannot write, send or sign: it has nothing to do that with. */
export interface InspectionDependencies extends ReadOnlyDependencies {
  configuration: WorkerConfiguration;
  /** For whoever asks a signer which key it has. */
  parts: Parts;
}

/**
 * Lends what a worker would see: the same configuration, document types, providers of signers and source.
 *
 * @param given in place of what the configuration names
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

/** What an operator's signer is looked for and asked with. */
export function signerContext({
  database,
  configuration,
  source,
  parts,
}: InspectionDependencies): Omit<SignerContext, 'operatorUserId' | 'say'> {
  return { database, configuration, accounts: source, custom: parts.custom };
}
