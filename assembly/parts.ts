import { ConfigurationError } from '../configuration/load';
import type { Configuration } from '../configuration/schema';
import { ensureError } from '../contract/failures';
import { type DocumentType, isDocumentType } from '../documents/document-type';
import { DocumentTypesError, loadDocumentTypes } from '../documents/load';
import type { CustomSignerFinder, SignerProvider } from '../nostr/signers/custom';
import { openSource, type SourceOptions } from '../sources/open';
import type { CustomSource, Source } from '../sources/source';
import { withDeadline } from './custom-code';
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

/** Values that replace what the configuration names. */
export interface GivenParts {
  /**
   * All known document types, in the order in which they are shown. To keep the shipped ones, include them:
   * `[...documentTypes, mine]`. Default: the shipped ones and those of the modules in `documentTypes` of the
   * configuration.
   */
  documentTypes?: readonly DocumentType[] | undefined;
  /**
   * Signer providers, such as one for a KMS, in the order in which they are asked. They are asked when no
   * paired signer has the account's key. Default: those of the modules in `signerProviders` of the
   * configuration.
   */
  signers?: readonly SignerProvider[] | undefined;
  /**
   * Where accounts, machines and states are read. Default: the module in `source` of the configuration, else
   * LNbits' database.
   */
  source?: CustomSource | undefined;
}

/** The parts that can be replaced from outside, checked and ready. */
export interface Parts {
  documentTypes: readonly DocumentType[];
  custom?: readonly CustomSignerFinder[] | undefined;
  /** Undefined: LNbits' database. */
  source?: Source | undefined;
  /** Where a fleet of all finds its operators, with a custom source. Undefined: as configured. */
  operatorsFrom?: 'source' | 'ledger' | undefined;
}

export interface LoadedParts extends Parts {
  /** Closes the providers and the source, each in at most five seconds. Never rejects. */
  close(): Promise<void>;
}

type Closable = Pick<SignerProvider, 'close'>;

const CLOSE_TIMEOUT_MS = 5_000;

type PartsConfiguration = Pick<
  Configuration,
  'documentTypes' | 'signerProviders' | 'source' | 'bunkerTimeoutMs' | 'approvalTimeoutMs'
>;

/**
 * Loads the parts that the configuration names, and checks them.
 *
 * @throws ConfigurationError with every problem of all modules and given values
 */
export async function loadParts(
  configuration: PartsConfiguration,
  given: GivenParts = {},
): Promise<LoadedParts> {
  const { parts, problems } = await readParts(configuration, given);
  if (problems.length === 0) return parts;
  await parts.close();
  throw new ConfigurationError(problems);
}

/** The same for a caller that can use an incomplete result: a wrong part is left out. */
export async function readParts(
  configuration: PartsConfiguration,
  given: GivenParts = {},
): Promise<{ parts: LoadedParts; problems: string[] }> {
  const problems: string[] = [];
  const documentTypes =
    given.documentTypes === undefined
      ? await typesOf(configuration, problems)
      : givenTypes(given.documentTypes, problems);
  const providers =
    given.signers === undefined
      ? await providersOf(configuration, problems)
      : listOf<SignerProvider>('signers', given.signers, problems);
  const source = given.source ?? (await sourceOf(configuration, problems));
  const custom = findersOf(providers, configuration, problems);
  const checked = source === undefined ? undefined : checkedSource(source, problems);
  return {
    parts: {
      documentTypes,
      custom,
      source: checked,
      ...(source === undefined
        ? {}
        : { operatorsFrom: source.operators === undefined ? 'ledger' : 'source' }),
      async close() {
        // A part that is not usable, too. All is over: a failure here would only hide that of the work.
        await Promise.allSettled(
          [...providers, source].map((part) =>
            withDeadline(CLOSE_TIMEOUT_MS, async () => (part as Closable | null | undefined)?.close?.()),
          ),
        );
      },
    },
    problems,
  };
}

/** Lends the parts to `work` and closes them. @throws ConfigurationError */
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

/** A caller in JavaScript may give anything. */
function listOf<T>(name: keyof GivenParts, given: unknown, problems: string[]): readonly T[] {
  if (Array.isArray(given)) return given as T[];
  problems.push(`${name}: it must be a list`);
  return [];
}

function givenTypes(given: unknown, problems: string[]): DocumentType[] {
  return listOf<unknown>('documentTypes', given, problems).filter((type, index): type is DocumentType => {
    if (isDocumentType(type)) return true;
    problems.push(
      `documentTypes[${index}]: defineDocumentType has not made it; wrap it: defineDocumentType({ ... })`,
    );
    return false;
  });
}

/** If a module does not load, the shipped types are used. */
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
 * LNbits' database, or the source in its place. Opens no connection yet. A custom source is only lent: it is
 * closed with the parts.
 *
 * @throws ConfigurationError for queries of an unknown document type
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
