import type { LookingDependencies } from '../activities/dependencies';
import { buildLooking } from '../assembly/looking';
import { type GivenParts, type Parts, withParts } from '../assembly/parts';
import type { SignerContext } from '../pairing/facts';
import type { WorkerConfiguration } from '../assembly/worker-configuration';

/** What an inspection looks with. It cannot write, send or sign: it has nothing to do that with. */
export interface Eyes extends LookingDependencies {
  configuration: WorkerConfiguration;
  /** For whoever asks a signer which key it has. */
  parts: Parts;
}

/**
 * Lends what a worker would see: the same configuration, document types, providers of signers and source.
 *
 * @param given in place of what the configuration names
 */
export function withEyes<T>(
  configuration: WorkerConfiguration,
  given: GivenParts,
  look: (eyes: Eyes) => Promise<T>,
): Promise<T> {
  return withParts(configuration, given, async (parts) => {
    const { dependencies, close } = buildLooking(configuration, parts);
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
}: Eyes): Omit<SignerContext, 'operatorUserId' | 'say'> {
  return { database, configuration, accounts: source, custom: parts.custom };
}
