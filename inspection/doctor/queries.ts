import type { Configuration } from '../../configuration/schema';
import { RepublishError } from '../../contract/failures';
import type { Database } from '../../database/connection';
import { listSigners } from '../../database/signers';
import { createSources, type Sources } from '../../database/sources';
import { documentTypes } from '../../documents/registry';
import { sourceOptions } from '../../worker/build-dependencies';
import { check, type Finding, findingsOf } from './finding';

const TIMEOUT_MS = 20_000;
/** Where no operator is known: fits columns of text and of numbers, and is nobody's. */
const NOBODY = '0';

/** Runs each configured query, with a real operator and machine where one is known. */
export function checkQueries(
  database: Database,
  configuration: Configuration,
  operatorUserId: string | undefined,
): Promise<Finding[]> {
  return check('database', 'queries', TIMEOUT_MS, async () => {
    const sources = createSources(sourceOptions(configuration, documentTypes));
    const operator = operatorUserId ?? (await someOperator(database));
    const account = await run('queries.account', operator, async () =>
      (await sources.account(database, operator ?? NOBODY)) === undefined && operator !== undefined
        ? `has no account ${operator}`
        : undefined,
    );
    const { machineId, finding } = await machineOf(database, sources, operator);
    const documents = await Promise.all(
      documentTypes.map(({ type }) =>
        run(`queries.documents.${type}`, machineId, async () => {
          await sources.state(database, type, machineId ?? NOBODY, configuration.maxStateBytes);
          return undefined;
        }),
      ),
    );
    return [account, finding, ...documents];
  });
}

async function someOperator(database: Database): Promise<string | undefined> {
  // Without the schema `republish` there are no signers either; that is told elsewhere.
  const [signer] = await listSigners(database).catch(() => []);
  return signer?.operatorUserId;
}

async function machineOf(
  database: Database,
  sources: Sources,
  operator: string | undefined,
): Promise<{ machineId: string | undefined; finding: Finding }> {
  let machineId: string | undefined;
  const finding = await run('queries.machines', operator, async () => {
    const [machine] = await sources.machines(database, { operatorUserId: operator ?? NOBODY, limit: 1 });
    machineId = machine?.id;
    return machineId === undefined && operator !== undefined ? `gives no machine of ${operator}` : undefined;
  });
  return { machineId, finding };
}

/** @param work runs the query, and says what is strange about its answer */
async function run(
  query: string,
  id: string | undefined,
  work: () => Promise<string | undefined>,
): Promise<Finding> {
  const { ok, warn, fail } = findingsOf('database', query);
  try {
    const strange = await work();
    if (strange === undefined) return ok('runs');
    return warn(
      `runs, and ${strange}`,
      `Check "${query}" in republish.config.json against the tables, and the operator id.`,
    );
  } catch (thrown) {
    if (!(thrown instanceof RepublishError)) throw thrown;
    const message = thrown.message.replace(`${query}: `, '');
    // 22: the id that stands for nobody is no value of the column (a uuid, say).
    if (id === undefined && /\(22/.test(message)) {
      return warn(
        'could not be tried: no operator with a machine is known yet',
        'Name one with --operator <id>, or add a signer first.',
      );
    }
    if (thrown.type === 'StateTooLarge') return ok('runs');
    return fail(message, remedyFor(query, message));
  }
}

function remedyFor(query: string, message: string): string {
  if (message.includes('(42501)'))
    return 'Let the user of DATABASE_URL read it: GRANT SELECT ON the table (and USAGE on its schema).';
  return `Point "${query}" in republish.config.json (or the file that REPUBLISH_CONFIG names) at the right table, or give it as SQL; "queries.schema" is the schema of all of them.`;
}
