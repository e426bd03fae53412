import { ConfigurationError } from '../configuration/load';
import type { Configuration } from '../configuration/schema';
import { ensureError } from '../contract/failures';
import type { DocumentType } from '../documents/document-type';
import { DocumentTypesError, loadDocumentTypes } from '../documents/load';
import type { CustomSignerFinder, SignerProvider } from '../nostr/signers/custom';
import { openSource, type SourceOptions } from '../sources/open';
import type { CustomSource, Source } from '../sources/source';
import { checkedSource } from './custom-source';
import { findersOf } from './custom-signers';
import { loadGiven } from './given-module';
import { requireTypesOfQueries } from './known-types';

export type {
  AccountRow,
  AccountSignerRow,
  CustomSource,
  MachinePage,
  MachineRow,
  StateRows,
} from '../sources/source';

/** What a caller gives in place of what the configuration names. */
export interface GivenParts {
  /**
   * All document types that are known, in the order in which they are shown; to keep the shipped ones, name
   * them too: `[...documentTypes, mine]`. Default: the shipped ones and those of the modules that
   * `documentTypes` in the configuration names.
   */
  documentTypes?: readonly DocumentType[] | undefined;
  /**
   * Signers that this program does not keep, such as those of a KMS, in the order in which they are asked.
   * They are asked where no paired signer holds the account's key. Default: those of the modules that
   * `signerProviders` in the configuration names.
   */
  signers?: readonly SignerProvider[] | undefined;
  /**
   * Where accounts, machines and states are read, in place of LNbits' database. Default: that of the module
   * that `source` in the configuration names; without one, LNbits' database.
   */
  source?: CustomSource | undefined;
}

/** What can be replaced from outside, checked and ready. */
export interface Parts {
  documentTypes: readonly DocumentType[];
  custom?: readonly CustomSignerFinder[] | undefined;
  /** Undefined: LNbits' database. */
  source?: Source | undefined;
}

export interface LoadedParts extends Parts {
  /** Closes what was given or loaded: providers and source. */
  close(): Promise<void>;
}

type PartsConfiguration = Pick<
  Configuration,
  'documentTypes' | 'signerProviders' | 'source' | 'bunkerTimeoutMs' | 'approvalTimeoutMs'
>;

/** @throws ConfigurationError with every problem of all modules and of what is given */
export async function loadParts(
  configuration: PartsConfiguration,
  given: GivenParts = {},
): Promise<LoadedParts> {
  const { parts, problems } = await readParts(configuration, given);
  if (problems.length === 0) return parts;
  await parts.close();
  throw new ConfigurationError(problems);
}

/** The same for whoever looks at the rest all the same: what is wrong is as if it were not there. */
export async function readParts(
  configuration: PartsConfiguration,
  given: GivenParts = {},
): Promise<{ parts: LoadedParts; problems: string[] }> {
  const problems: string[] = [];
  const documentTypes = given.documentTypes ?? (await typesOf(configuration, problems));
  const providers = given.signers ?? (await providersOf(configuration, problems));
  const source = given.source ?? (await sourceOf(configuration, problems));
  const custom = findersOf(providers, configuration, problems);
  const checked = source === undefined ? undefined : checkedSource(source, problems);
  return {
    parts: {
      documentTypes,
      custom,
      source: checked,
      async close() {
        await Promise.all(providers.map(async (provider) => provider.close?.()));
        await checked?.close();
      },
    },
    problems,
  };
}

/** Lends the parts that the configuration names. @throws ConfigurationError */
export async function withParts<T>(
  configuration: PartsConfiguration,
  given: GivenParts,
  work: (parts: Parts) => Promise<T>,
): Promise<T> {
  const parts = await loadParts(configuration, given);
  try {
    return await work(parts);
  } finally {
    await parts.close();
  }
}

/** Modules that do not load are told; the types of this release are known all the same. */
async function typesOf(
  { documentTypes }: PartsConfiguration,
  problems: string[],
): Promise<readonly DocumentType[]> {
  try {
    return await loadDocumentTypes(documentTypes);
  } catch (thrown) {
    if (!(thrown instanceof DocumentTypesError)) throw thrown;
    problems.push(...thrown.problems);
    return loadDocumentTypes([]);
  }
}

async function providersOf(
  { signerProviders }: PartsConfiguration,
  problems: string[],
): Promise<SignerProvider[]> {
  const found: SignerProvider[] = [];
  for (const module of signerProviders) {
    const provider = await noting(problems, () => loadGiven<SignerProvider>('signerProviders', module));
    if (provider !== undefined) found.push(provider);
  }
  return found;
}

async function sourceOf({ source }: PartsConfiguration, problems: string[]) {
  if (source === undefined) return undefined;
  return noting(problems, () => loadGiven<CustomSource>('source', source));
}

async function noting<T>(problems: string[], work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (thrown) {
    problems.push(ensureError(thrown).message);
    return undefined;
  }
}

/**
 * LNbits' database, or the source that takes its place; opens no connection yet. The custom one is lent: it is
 * closed with the parts.
 *
 * @throws ConfigurationError for queries of a type that is not known
 */
export function sourceFor(
  { queries, preset, lnbitsDatabaseUrl: url }: Configuration & { lnbitsDatabaseUrl: string },
  { source, documentTypes }: Parts,
  options: Pick<SourceOptions, 'ledger' | 'maxConnections' | 'onIdleError'> = {},
): Source {
  requireTypesOfQueries(Object.keys(queries.documents), documentTypes);
  if (source !== undefined) return { ...source, close: async () => undefined };
  return openSource({ url, preset, queries: { ...queries, documentTypes }, ...options });
}
