import type { Configuration } from '../../configuration/schema';
import { RepublishError, scopeOf } from '../../contract/failures';
import type { Queryable } from '../../database/connection';
import { listSigners } from '../../database/signers';
import type { DocumentType } from '../../documents/document-type';
import { documentTypes as shipped } from '../../documents/registry';
import { serialiseState } from '../../documents/state';
import { missingRelays } from '../../nostr/relays/missing-relays';
import { shownRelay } from '../../nostr/relays/url';
import type { Source, SourceDescription } from '../../sources/source';
import { check, type Finding, findingsOf } from './finding';
import { notLookedAt } from './follow-up';
import { checkLnbitsRights } from './rights';

const TIMEOUT_MS = 40_000;
/** Used when no operator is known: valid for columns of text and of numbers, and nobody's id. */
const NOBODY = '0';

/** The source, and the ledger if it can be opened. */
interface LookedAt {
  source: Source;
  ledger?: Queryable;
}

/**
 * Checks the source: can it be reached, whose tables does it have, does each query run? Uses a real operator
 * and machine if one is known.
 */
export function checkSource(
  open: () => LookedAt,
  configuration: Configuration,
  documentTypes: readonly DocumentType[],
  operatorUserId: string | undefined,
): Promise<Finding[]> {
  return check(
    { area: 'lnbits', subject: 'database', timeoutMs: TIMEOUT_MS, silence: 'SourceUnavailable' },
    async () => {
      const { ok } = findingsOf('lnbits', 'database');
      // An error here is the finding: nothing below could be asked.
      const databases = open();
      const { source } = databases;
      const { where, preset } = await source.describe();
      const tables = tablesOf(preset);
      const rights = await checkLnbitsRights(source, configuration);
      const queries = await checkQueries(databases, configuration, documentTypes, operatorUserId);
      return [
        ok(`${where}; ${tables}`),
        ...rights,
        ...ownTypes(documentTypes),
        ...queries.map((query) => withoutRight(query, rights)),
        ...(await checkNostrclient(source, configuration)),
      ];
    },
  );
}

/** The tables that are read, for a person. */
function tablesOf(preset: SourceDescription['preset']): string {
  if (preset === null) return 'a custom source, in place of its database';
  return preset === 'queries' ? 'every query is configured' : `preset ${preset}`;
}

/** Reports the document types that come from modules, and which of them replace a shipped one. */
function ownTypes(documentTypes: readonly DocumentType[]): Finding[] {
  const own = documentTypes.filter((type) => !shipped.includes(type)).map(({ type }) => type);
  if (own.length === 0) return [];
  const replaced = own.filter((name) => shipped.some(({ type }) => type === name));
  const inPlace = replaced.length === 0 ? '' : `; in place of the shipped one: ${replaced.join(', ')}`;
  return [findingsOf('configuration', 'documentTypes').ok(`of modules: ${own.join(', ')}${inPlace}`)];
}

/** Compares REPUBLISH_RELAYS with the relays to which the extension itself publishes. */
async function checkNostrclient(source: Source, { relays }: Configuration): Promise<Finding[]> {
  const { ok, warn } = findingsOf('lnbits', 'nostrclient');
  const published = await source.nostrclientRelays();
  // Not installed, or not readable for this user: there is nothing to compare.
  if (published === undefined || relays.length === 0) return [];
  const missing = missingRelays(published, relays).map(shownRelay);
  if (missing.length === 0) return [ok('every relay to which it publishes is in REPUBLISH_RELAYS')];
  return [
    warn(
      `publishes to ${missing.join(', ')} too, and REPUBLISH_RELAYS does not`,
      'Add them to REPUBLISH_RELAYS, or machines that read there do not find what is republished.',
    ),
  ];
}

/** A query that lacks a right counts as not tried: the line of that right has the GRANT. */
function withoutRight({ finding, sqlState }: TriedQuery, rights: readonly Finding[]): Finding {
  const lacking = rights.filter(({ status }) => status === 'fail');
  const isCause = finding.status === 'fail' && sqlState === INSUFFICIENT_PRIVILEGE && lacking.length > 0;
  return isCause ? notLookedAt(finding, lacking) : finding;
}

/** How a query ran. */
interface TriedQuery {
  finding: Finding;
  /** Of the failure, if Postgres has refused it. */
  sqlState?: string | undefined;
}

async function checkQueries(
  databases: LookedAt,
  configuration: Configuration,
  documentTypes: readonly DocumentType[],
  operatorUserId: string | undefined,
): Promise<TriedQuery[]> {
  const { source } = databases;
  const operator = operatorUserId ?? (await someOperator(databases));
  const account = await run('queries.account', operator, async () =>
    (await source.account(operator ?? NOBODY)) === undefined && operator !== undefined
      ? `has no account ${operator}`
      : undefined,
  );
  const { machineId, tried } = await machineOf(source, operator);
  const documents = await Promise.all(
    documentTypes.map((documentType) => {
      const { type } = documentType;
      return run(`queries.documents.${type}`, machineId, async () => {
        const rows = await source.states(type, [machineId ?? NOBODY], configuration.maxStateBytes);
        for (const state of rows.values()) {
          if (state instanceof RepublishError) throw state;
          // As a run does it: only then an empty super_config shows.
          serialiseState(documentType, state, configuration.maxStateBytes);
        }
        return undefined;
      });
    }),
  );
  return [account, tried, ...documents];
}

/** An operator with a signer here, else any with a machine. */
async function someOperator({ source, ledger }: LookedAt): Promise<string | undefined> {
  const paired = ledger === undefined ? undefined : await somePairedOperator(ledger);
  if (paired !== undefined) return paired;
  try {
    return (await source.operators({ limit: 1 }))[0];
  } catch (thrown) {
    // The query has its own check.
    if (thrown instanceof RepublishError) return undefined;
    throw thrown;
  }
}

async function somePairedOperator(ledger: Queryable): Promise<string | undefined> {
  try {
    const [signer] = await listSigners(ledger);
    return signer?.operatorUserId;
  } catch {
    // A missing ledger or schema has its own check.
    return undefined;
  }
}

async function machineOf(
  source: Source,
  operator: string | undefined,
): Promise<{ machineId: string | undefined; tried: TriedQuery }> {
  let machineId: string | undefined;
  const tried = await run('queries.machines', operator, async () => {
    const [machine] = await source.machines({ operatorUserId: operator ?? NOBODY, limit: 1 });
    machineId = machine?.id;
    return machineId === undefined && operator !== undefined ? `gives no machine of ${operator}` : undefined;
  });
  return { machineId, tried };
}

/** @param work runs the query and returns what is strange about the answer */
async function run(
  query: string,
  id: string | undefined,
  work: () => Promise<string | undefined>,
): Promise<TriedQuery> {
  const { ok, warn, fail } = findingsOf('lnbits', query);
  try {
    const strange = await work();
    if (strange === undefined) return { finding: ok('runs') };
    const remedy = `Check the operator id, LNBITS_DATABASE_URL, and "${query}" in the configuration if it is set there.`;
    return { finding: warn(`runs, and ${strange}`, remedy) };
  } catch (thrown) {
    if (!(thrown instanceof RepublishError)) throw thrown;
    // The finding names the query already.
    const { message, sqlState } = thrown.cause instanceof RepublishError ? thrown.cause : thrown;
    // The id for "nobody" is not a value of that column, for example a uuid.
    if (id === undefined && sqlState?.startsWith(DATA_EXCEPTION)) {
      const finding = warn(
        'could not be tried: no operator with a machine is known yet',
        'Name one with --operator <id>, or add a signer first.',
      );
      return { finding };
    }
    if (scopeOf(thrown.type) === 'document') return { finding: stateFinding(query, thrown) };
    const isOfQuery = thrown.type === 'SourceMisconfigured';
    const remedy = isOfQuery ? remedyOfQuery(query, sqlState) : thrown.remedy;
    return { finding: fail(message, { type: thrown.type, remedy }), sqlState };
  }
}

/** The query runs; what it gives for the one machine that was looked at is another matter. */
function stateFinding(query: string, { type, message, remedy }: RepublishError): Finding {
  const { ok, warn } = findingsOf('lnbits', query);
  if (type === 'StateTooLarge') return ok('runs');
  return warn(`runs, and the state of one machine is not valid: ${message}`, remedy);
}

/** Class and code of SQLSTATE. */
const DATA_EXCEPTION = '22';
const INSUFFICIENT_PRIVILEGE = '42501';

function remedyOfQuery(query: string, sqlState: string | undefined): string {
  if (sqlState === INSUFFICIENT_PRIVILEGE)
    return 'Let the user of LNBITS_DATABASE_URL read it: GRANT SELECT ON the table (and USAGE on its schema).';
  return `Point "${query}" in republish.config.json (or the file that REPUBLISH_CONFIG names) at the right table, or give it as SQL; "preset" says whose tables the others are.`;
}
