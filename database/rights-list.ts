import { sqlIdentifier } from './identifier';

/**
 * The roles, and the rights on the ledger that each of them needs. There is no other list: `npm run
 * docs:rights` writes database/rights.sql and the table in docs/operations.md from it, and `republish doctor`
 * and each worker check it.
 */
export const ROLES = ['worker', 'pairing', 'inspector', 'migrator'] as const;
export type Role = (typeof ROLES)[number];

/** The comment of each role in rights.sql. @public */
export const ROLE_IS_FOR: Record<Role, string> = {
  worker:
    '`republish worker`, `republish end`: deletes nothing, only appends to the audit logs, ' +
    'and changes only the bunker relays of a signer',
  pairing: '`republish signer ...`: also reads runs, fleets and audits',
  inspector: '`republish plan`, `verify`, `orphans`, `audit`, `report`, `doctor`: writes nothing',
  migrator: '`republish migrate`',
};

/** The schema of the ledger. @public */
export const LEDGER = 'republish';

export interface Right {
  privilege: 'SELECT' | 'INSERT' | 'UPDATE' | 'DELETE' | 'USAGE' | 'CREATE' | 'EXECUTE';
  /** DATABASE: to create the schema, so it is needed only while the schema does not exist. */
  on: 'TABLE' | 'FUNCTION' | 'SCHEMA' | 'DATABASE';
  schema: string;
  /** Name of the table or function. */
  name?: string;
  /** Default: all columns of the table. */
  columns?: readonly string[];
  /** A run succeeds without it. */
  optional?: true;
}

type OnTable = 'SELECT' | 'INSERT' | 'UPDATE' | 'DELETE' | { UPDATE: readonly string[] };

const READ: OnTable[] = ['SELECT'];
const APPEND: OnTable[] = ['SELECT', 'INSERT'];
const WRITE: OnTable[] = ['SELECT', 'INSERT', 'UPDATE'];
const ALL: OnTable[] = ['SELECT', 'INSERT', 'UPDATE', 'DELETE'];

/**
 * What each role does with each table. `test/unit/rights-files.test.ts` compares it with the tables of the
 * migration.
 */
const TABLES: Record<string, Partial<Record<Role, readonly OnTable[]>>> = {
  migrations: { worker: READ, pairing: READ, inspector: READ, migrator: APPEND },
  signers: { worker: ['SELECT', { UPDATE: ['bunker_relays'] }], pairing: ALL, inspector: READ },
  pairings: { pairing: ALL },
  // `republish plan` estimates the duration of a run with it.
  signer_checks: { worker: READ, pairing: ALL, inspector: READ },
  runs: {
    worker: ['SELECT', 'INSERT', { UPDATE: ['operator_pubkey', 'sweeps', 'closed_at'] }],
    pairing: READ,
    inspector: READ,
  },
  pages: { worker: ['SELECT', 'INSERT', { UPDATE: ['holder'] }] },
  documents: { worker: WRITE, pairing: READ, inspector: READ },
  signer_proofs: { worker: APPEND, inspector: READ },
  // The id of an audit row is an identity column: nobody needs a right on its sequence.
  audit_log: { worker: APPEND, pairing: READ, inspector: READ },
  fleets: { worker: ['SELECT', 'INSERT', { UPDATE: ['closed_at'] }], pairing: READ, inspector: READ },
  fleet_operators: { worker: WRITE, pairing: READ, inspector: READ },
  fleet_audit_log: { worker: APPEND, pairing: READ, inspector: READ },
};

/** Every role may execute them, unless an administrator has revoked that right from PUBLIC. */
const FUNCTIONS: Record<string, readonly Role[]> = {
  seal_document: ['worker'],
  sign_document: ['worker'],
};

/** The rights on the ledger that a role needs, in the order in which to grant them. */
export function rightsOnLedger(role: Role): Right[] {
  const tables = Object.entries(TABLES).flatMap(([name, roles]) =>
    (roles[role] ?? []).map((granted): Right => ({ ...onTable(granted), schema: LEDGER, name })),
  );
  const functions = Object.entries(FUNCTIONS)
    .filter(([, roles]) => roles.includes(role))
    .map(([name]): Right => ({ privilege: 'EXECUTE', on: 'FUNCTION', schema: LEDGER, name }));
  const creates: Right[] = [
    { privilege: 'CREATE', on: 'DATABASE', schema: LEDGER },
    { privilege: 'CREATE', on: 'SCHEMA', schema: LEDGER },
  ];
  return [
    { privilege: 'USAGE', on: 'SCHEMA', schema: LEDGER },
    ...(role === 'migrator' ? creates : []),
    ...tables,
    ...functions,
  ];
}

function onTable(granted: OnTable): Pick<Right, 'privilege' | 'on' | 'columns'> {
  return typeof granted === 'string'
    ? { privilege: granted, on: 'TABLE' }
    : { privilege: 'UPDATE', on: 'TABLE', columns: granted.UPDATE };
}

/** For messages, such as `UPDATE (closed_at) on republish.runs`. */
export function nameOfRight(right: Right): string {
  const object = objectOf(right, 'this database').replace(/^[A-Z]+/, (kind) => kind.toLowerCase());
  return `${privilegeOf(right)} on ${object}`;
}

/**
 * The GRANT statement for one right.
 *
 * @param to the role, quoted for SQL
 * @param database the database, quoted for SQL
 */
export function grantOf(right: Right, to: string, database: string): string {
  return `GRANT ${privilegeOf(right)} ON ${objectOf(right, `DATABASE ${database}`)} TO ${to}`;
}

function privilegeOf({ privilege, columns }: Right): string {
  return columns === undefined ? privilege : `${privilege} (${columns.map(identifier).join(', ')})`;
}

function objectOf({ on, schema, name = '' }: Right, database: string): string {
  if (on === 'DATABASE') return database;
  if (on === 'SCHEMA') return `SCHEMA ${identifier(schema)}`;
  const qualified = `${identifier(schema)}.${identifier(name)}`;
  return on === 'FUNCTION' ? `FUNCTION ${qualified}` : qualified;
}

/** Quoted only where SQL needs it, because people read these statements. */
function identifier(name: string): string {
  return /^[a-z_][a-z0-9_]*$/.test(name) ? name : sqlIdentifier(name);
}
