import { ConfigurationError } from '../../configuration/load';
import type { Configuration } from '../../configuration/schema';
import type { TemporalConfiguration } from '../../configuration/temporal';
import type { DocumentType } from '../../documents/document-type';
import { sourceOptions } from '../../worker/build-dependencies';
import { openDatabase } from '../../database/connection';
import { accountKey, withAccounts } from '../../pairing/facts';
import { asOperator } from '../asker';
import { probeRelays, type RelayFacts } from '../relay-probe';
import { checkClock } from './clock';
import { checkDatabase } from './database';
import { CORRECT_CONFIGURATION, type Finding, findingsOf } from './finding';
import { checkRelays } from './relays';
import { checkRun, type SeenRun } from './run';
import { checkSigners } from './signers';
import { checkSource } from './source';
import { checkTemporal } from './temporal';

export interface Patient {
  /** What can be read of the configuration; wrong keys are as if they were not set. */
  configuration: Configuration;
  /** What is wrong with it, naming each key. */
  problems: string[];
  /** Those of this release and those of the configuration. */
  documentTypes: readonly DocumentType[];
  /** How to reach Temporal, or why that cannot be read; undefined: there is none to look at now. */
  temporal: TemporalConfiguration | Error | undefined;
  /** Absent: the signers of all operators. */
  operatorUserId?: string;
  /** With an operator: the newest run, as a client sees it; undefined where Temporal knows none. */
  lookAtRun?: () => Promise<SeenRun | undefined>;
  /** Where a relay wants to know who asks, that operator's signer may be asked to sign it. */
  auth?: boolean;
  /** Told what a person has to do meanwhile. */
  say(text: string): void;
}

/**
 * Looks at everything that a run needs, all at once; each check ends by itself and stops no other. Changes nothing.
 *
 * @returns the findings of each check, in the order in which they are best read
 */
export function examine(patient: Patient): Promise<Finding[]>[] {
  const { temporal, operatorUserId, documentTypes, say, lookAtRun } = patient;
  const { configuration, problems } = withKnownTypes(patient);
  const { databaseUrl, lnbitsDatabaseUrl, secretsKey, relays } = configuration;
  const probed = probe(patient, configuration);
  return [
    Promise.resolve(configurationFindings(problems, temporal)),
    ...(temporal === undefined || temporal instanceof Error
      ? []
      : [checkTemporal(temporal, configuration.taskQueue)]),
    ...(temporal === undefined || temporal instanceof Error || operatorUserId === undefined || !lookAtRun
      ? []
      : [checkRun(operatorUserId, lookAtRun, databaseUrl)]),
    // What is not configured is told above, and cannot be asked.
    ...(databaseUrl === undefined ? [] : [checkDatabase({ ...configuration, databaseUrl })]),
    ...(lnbitsDatabaseUrl === undefined
      ? []
      : [checkSource({ ...configuration, lnbitsDatabaseUrl }, documentTypes, operatorUserId)]),
    ...(relays.length === 0
      ? []
      : [probed.then((facts) => checkRelays(configuration, documentTypes, facts))]),
    probed.then((facts) => checkClock(configuration, facts)),
    ...(databaseUrl === undefined || secretsKey === undefined
      ? []
      : [checkSigners({ ...configuration, databaseUrl, secretsKey }, operatorUserId, say)]),
  ];
}

/** As nobody, or as the operator who has to be there for that. */
async function probe(
  { auth, operatorUserId, say }: Patient,
  configuration: Configuration,
): Promise<RelayFacts[]> {
  const { databaseUrl: url, secretsKey } = configuration;
  if (!auth || operatorUserId === undefined || url === undefined || secretsKey === undefined)
    return probeRelays(configuration);
  const database = openDatabase({ url, maxConnections: 2 });
  try {
    const context = { database, configuration, operatorUserId, say };
    // Whose key is not known is told by the signer's line.
    const operatorPubkey = await withAccounts(context, (accounts) =>
      accountKey(accounts, operatorUserId),
    ).catch(() => null);
    if (operatorPubkey === null) return await probeRelays(configuration);
    const identity = asOperator({ database, configuration }, { operatorUserId, operatorPubkey }, say);
    return await probeRelays(configuration, { identity });
  } finally {
    await database.close();
  }
}

/** A query for a type that is not known is no reason to leave the other queries untried. */
function withKnownTypes({
  configuration,
  documentTypes,
  problems,
}: Patient): Pick<Patient, 'configuration' | 'problems'> {
  try {
    sourceOptions({ ...configuration, lnbitsDatabaseUrl: '' }, documentTypes);
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
  const found = problems.map((problem) => fail(problem, CORRECT_CONFIGURATION));
  if (temporal instanceof Error) {
    found.push(
      fail(
        `how to reach Temporal cannot be read: ${temporal.message}`,
        'Check the TEMPORAL_* variables and the profile that they name.',
      ),
    );
  }
  return found.length > 0 ? found : [ok('every key is known and of the right form')];
}
