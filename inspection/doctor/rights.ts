import type { Configuration } from '../../configuration/schema';
import type { Queryable } from '../../database/connection';
import { sqlIdentifier } from '../../database/identifier';
import { lookAtRights } from '../../database/rights';
import { grantOf, nameOfRight, type Right, rightsOnLedger, type Role } from '../../database/rights-list';
import type { Reader } from '../../sources/rights';
import type { Source } from '../../sources/source';
import { type Finding, findingsOf } from './finding';

/** With more missing rights, a whole role was not granted. */
const MAX_GRANTS = 4;
const OWN_SIGNERS: readonly Reader[] = ['signer_reader'];

/** Compares this user's rights with the list of the role. */
export async function checkLedgerRights(database: Queryable, role: Role): Promise<Finding[]> {
  const { ok, fail } = findingsOf('database', 'rights');
  const rights = await lookAtRights(database, rightsOnLedger(role));
  const found: Finding[] = [];
  if (rights.readOnly && role !== 'inspector') {
    found.push(
      fail('Postgres takes no writes: it is a standby, or read-only for this user', {
        type: 'DatabaseUnavailable',
        remedy: 'Let DATABASE_URL lead to the primary, or lift default_transaction_read_only.',
      }),
    );
  }
  if (rights.missing.length > 0) {
    const role_ = { file: 'database/rights.sql', name: `republish_${role}` };
    found.push(fail(lacks(rights), { type: 'DatabaseMisconfigured', remedy: grants(rights, role_) }));
  }
  return found.length > 0 ? found : [ok(`user ${rights.user} lacks none of the role ${role}`)];
}

/**
 * Compares the rights of the user of LNBITS_DATABASE_URL with the list for reading LNbits. SQLite has no
 * rights.
 */
export async function checkLnbitsRights(
  source: Source,
  { signers }: Pick<Configuration, 'signers'>,
): Promise<Finding[]> {
  const rights = await source.rights(['lnbits_reader', ...(signers === 'lnbits' ? OWN_SIGNERS : [])]);
  if (rights === undefined) return [];
  const { ok, warn, fail } = findingsOf('lnbits', 'rights');
  const role = { file: 'database/rights-lnbits.sql', name: 'republish_lnbits_reader' };
  const needed = { ...rights, missing: rights.missing.filter(({ optional }) => !optional) };
  const useful = { ...rights, missing: rights.missing.filter(({ optional }) => optional) };
  const found: Finding[] = [];
  if (needed.missing.length > 0)
    found.push(fail(lacks(needed), { type: 'SourceMisconfigured', remedy: grants(needed, role) }));
  if (useful.missing.length > 0) {
    const so = "REPUBLISH_RELAYS is not compared with LNbits' own relays";
    found.push(warn(`${lacks(useful)}: ${so}`, grants(useful, role)));
  }
  return found.length > 0 ? found : [ok(`user ${rights.user} lacks none that is known to be needed`)];
}

interface Lacking {
  user: string;
  database: string;
  missing: readonly Right[];
}

function lacks({ user, missing }: Lacking): string {
  return `user ${user} lacks ${missing.map(nameOfRight).join(', ')}`;
}

/** The GRANT statements, or the role if nearly everything is missing. */
function grants({ user, database, missing }: Lacking, role: { file: string; name: string }): string {
  const to = sqlIdentifier(user);
  if (missing.length > MAX_GRANTS)
    return `As the owner: psql -f ${role.file}, then: GRANT ${role.name} TO ${to};`;
  return `As the owner: ${missing.map((right) => `${grantOf(right, to, sqlIdentifier(database))};`).join(' ')}`;
}
