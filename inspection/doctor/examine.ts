import { ConfigurationError } from '../../configuration/load';
import type { Configuration } from '../../configuration/schema';
import type { TemporalConfiguration } from '../../configuration/temporal';
import type { Role } from '../../database/rights-list';
import type { Parts } from '../../assembly/parts';
import { requireTypesOfQueries } from '../../assembly/known-types';
import { accountKey, type SignerContext, withAccounts } from '../../pairing/facts';
import { asOperator } from '../asker';
import { probeRelays, type RelayFacts } from '../relay-probe';
import { checkClock } from './clock';
import { checkDatabase } from './database';
import { type Databases, openDatabases, orNone } from './databases';
import { CORRECT_CONFIGURATION, type Finding, findingsOf } from './finding';
import { OF_LEDGER, OF_LNBITS, withoutFollowUps } from './follow-up';
import { checkRelays } from './relays';
import { checkRun, type SeenRun } from './run';
import { checkSigners } from './signers';
import { checkSource } from './source';
import { checkTemporal } from './temporal';

export interface Patient {
  /** The readable part of the configuration. A wrong key counts as not set. */
  configuration: Configuration;
  /** Its problems, each with the name of the key. */
  problems: string[];
  /** Document types, providers of signers and source, as the configuration names them. */
  parts: Parts;
  /** How to reach Temporal, or why that is not known. Undefined: there is no Temporal to check now. */
  temporal: TemporalConfiguration | Error | undefined;
  /** Absent: the signers of all operators. */
  operatorUserId?: string;
  /** The role whose rights on the ledger are checked. */
  role: Role;
  /** The operator's newest run as a client sees it. Undefined: Temporal knows none. */
  lookAtRun?: () => Promise<SeenRun | undefined>;
  /** Lets that operator's signer authenticate to relays that require it. */
  auth?: boolean;
  /** Called with what a person must do meanwhile. */
  say(text: string): void;
}

/**
 * Runs all checks at the same time. Each ends alone and stops no other. Changes nothing.
 *
 * @returns the findings of each check, in the order in which a person reads them
 */
export function examine(patient: Patient): Promise<Finding[]>[] {
  const { temporal, operatorUserId, parts, role, say, lookAtRun } = patient;
  const { documentTypes, custom } = parts;
  const { configuration, problems } = withKnownTypes(patient);
  const { databaseUrl, lnbitsDatabaseUrl, secretsKey, relays } = configuration;
  const databases = openDatabases(configuration, parts);
  // A missing database is reported by the configuration's lines.
  const database = databaseUrl === undefined ? [] : [checkDatabase(databases.ledger, role)];
  const ledgerRead = database.map((findings) => ({ types: OF_LEDGER, findings }));
  // A migration needs nothing else.
  if (role === 'migrator')
    return closing(databases, [Promise.resolve(configurationFindings(problems, undefined)), ...database]);
  const ledger = orNone(databases.ledger);
  const source = orNone(databases.source);
  const known = {
    custom,
    ...(ledger === undefined ? {} : { ledger }),
    ...(source === undefined ? {} : { source }),
  };
  const context =
    ledger === undefined
      ? undefined
      : {
          database: ledger,
          configuration,
          custom,
          say,
          ...(source === undefined ? {} : { accounts: source }),
        };
  const probed = probe(patient, configuration, context);
  const lnbits =
    lnbitsDatabaseUrl === undefined
      ? []
      : [
          checkSource(
            () => ({ ...known, source: databases.source() }),
            configuration,
            documentTypes,
            operatorUserId,
          ),
        ];
  const lnbitsRead = lnbits.map((findings) => ({ types: OF_LNBITS, findings }));
  return closing(databases, [
    Promise.resolve(configurationFindings(problems, temporal)),
    ...(temporal === undefined || temporal instanceof Error
      ? []
      : [checkTemporal(temporal, configuration.taskQueue)]),
    ...(temporal === undefined || temporal instanceof Error || operatorUserId === undefined || !lookAtRun
      ? []
      : [checkRun(operatorUserId, lookAtRun, databaseUrl)]),
    ...database,
    ...lnbits,
    ...(relays.length === 0
      ? []
      : [probed.then((facts) => checkRelays(configuration, documentTypes, facts))]),
    probed.then((facts) => checkClock(configuration, facts, known)),
    ...(context === undefined || secretsKey === undefined
      ? []
      : [withoutFollowUps(checkSigners(context, operatorUserId), [...ledgerRead, ...lnbitsRead])]),
  ]);
}

function closing(databases: Databases, checks: Promise<Finding[]>[]): Promise<Finding[]>[] {
  void Promise.allSettled(checks)
    .then(() => databases.close())
    .catch(() => undefined);
  return checks;
}

/** Without authentication, or authenticated as the operator. */
async function probe(
  { auth, operatorUserId, say }: Patient,
  configuration: Configuration,
  context: Omit<SignerContext, 'operatorUserId'> | undefined,
): Promise<RelayFacts[]> {
  if (
    !auth ||
    operatorUserId === undefined ||
    context === undefined ||
    configuration.secretsKey === undefined
  )
    return probeRelays(configuration);
  // An unknown key is reported by the signer's line.
  const operatorPubkey = await withAccounts(context, (accounts) =>
    accountKey(accounts, operatorUserId),
  ).catch(() => null);
  if (operatorPubkey === null) return probeRelays(configuration);
  const identity = asOperator(context, { operatorUserId, operatorPubkey }, say);
  return probeRelays(configuration, { identity });
}

/** A query for an unknown type is a problem, and the other queries are checked all the same. */
function withKnownTypes({
  configuration,
  parts: { documentTypes },
  problems,
}: Patient): Pick<Patient, 'configuration' | 'problems'> {
  try {
    requireTypesOfQueries(Object.keys(configuration.queries.documents), documentTypes);
    return { configuration, problems };
  } catch (thrown) {
    if (!(thrown instanceof ConfigurationError)) throw thrown;
    const { queries } = configuration;
    const documents = Object.fromEntries(
      Object.entries(queries.documents).filter(([type]) =>
        documentTypes.some((known) => known.type === type),
      ),
    );
    return {
      configuration: { ...configuration, queries: { ...queries, documents } },
      problems: [...problems, ...thrown.problems],
    };
  }
}

function configurationFindings(problems: string[], temporal: Patient['temporal']): Finding[] {
  const { ok, fail } = findingsOf('configuration', '');
  const found = problems.map((problem) =>
    fail(problem, { type: 'ConfigurationError', remedy: CORRECT_CONFIGURATION }),
  );
  if (temporal instanceof Error) {
    const all = temporal instanceof ConfigurationError ? temporal.problems : [temporal.message];
    const remedy = 'Check the TEMPORAL_* variables and the profile that they name.';
    found.push(...all.map((problem) => fail(problem, { type: 'ConfigurationError', remedy })));
  }
  return found.length > 0 ? found : [ok('every key is known and of the right form')];
}
