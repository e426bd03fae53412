import { quoteIdentifier } from './identifiers';

/**
 * The one list of what each role needs of the ledger. `npm run docs:rights` makes database/rights.sql and the
 * table in docs/operations.md of it, and `republish doctor` and a worker at its start look for it.
 */
export const ROLES = ['worker', 'pairing', 'inspector', 'migrator'] as const;
export type Role = (typeof ROLES)[number];

/** For rights.sql. @public */
export const ROLE_IS_FOR: Record<Role, string> = {
  worker:
    '`republish worker`, `republish end`: it deletes nothing, only appends to the audit, and changes of a signer where its bunker has moved to',
  pairing: '`republish signer ...`; it also reads runs, fleets and audits',
  inspector: '`republish plan`, `verify`, `orphans`, `audit`, `report`, `doctor`: it writes nothing',
  migrator: '`republish migrate`',
};

/** The schema of the ledger. @public */
export const LEDGER = 'republish';

export interface Right {
  privilege: 'SELECT' | 'INSERT' | 'UPDATE' | 'DELETE' | 'USAGE' | 'CREATE' | 'EXECUTE';
  /** DATABASE: to make the schema there, and so only as long as it is not. */
  on: 'TABLE' | 'FUNCTION' | 'SCHEMA' | 'DATABASE';
  schema: string;
  /** Of the table or function. */
  name?: string;
  /** Absent: all that a table has. */
  columns?: readonly string[];
  /** Nothing of a run goes wrong without it. */
  optional?: true;
}

type OnTable = 'SELECT' | 'INSERT' | 'UPDATE' | 'DELETE' | { UPDATE: readonly string[] };

const READ: OnTable[] = ['SELECT'];
const APPEND: OnTable[] = ['SELECT', 'INSERT'];
const WRITE: OnTable[] = ['SELECT', 'INSERT', 'UPDATE'];
const ALL: OnTable[] = ['SELECT', 'INSERT', 'UPDATE', 'DELETE'];

/**
 * What each role does with each table; `test/unit/rights-files.test.ts` holds it to the tables of the
 * migration.
 */
const TABLES: Record<string, Partial<Record<Role, readonly OnTable[]>>> = {
  migrations: { worker: READ, pairing: READ, inspector: READ, migrator: APPEND },
  signers: { worker: ['SELECT', { UPDATE: ['bunker_relays'] }], pairing: ALL, inspector: READ },
  pairings: { pairing: ALL },
  // `republish plan` says by it what a run is expected to take.
  signer_checks: { worker: READ, pairing: ALL, inspector: READ },
  runs: {
    worker: ['SELECT', 'INSERT', { UPDATE: ['operator_pubkey', 'sweeps', 'closed_at'] }],
    pairing: READ,
    inspector: READ,
  },
  pages: { worker: ['SELECT', 'INSERT', { UPDATE: ['holder'] }] },
  documents: { worker: WRITE, pairing: READ, inspector: READ },
  signer_proofs: { worker: APPEND, inspector: READ },
  // The ids of audit rows are of an identity column, for which nobody needs a right on its sequence.
  audit_log: { worker: APPEND, pairing: READ, inspector: READ },
  fleets: { worker: WRITE, pairing: READ, inspector: READ },
  fleet_operators: { worker: WRITE, pairing: READ, inspector: READ },
  fleet_audit_log: { worker: APPEND, pairing: READ, inspector: READ },
};

/** Everybody may execute them, unless an administrator has taken that from PUBLIC. */
const FUNCTIONS: Record<string, readonly Role[]> = {
  seal_document: ['worker'],
  sign_document: ['worker'],
};

/** What a role needs of the ledger, in the order in which it is best granted. */
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

/** `UPDATE (closed_at) on republish.runs` */
export function nameOfRight(right: Right): string {
  return `${privilegeOf(right)} on ${objectOf(right, 'this database').replace(/^[A-Z]+/, (kind) => kind.toLowerCase())}`;
}

/**
 * The statement that gives it, and nothing else.
 *
 * @param to a role, as SQL
 * @param database as SQL
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
  return /^[a-z_][a-z0-9_]*$/.test(name) ? name : quoteIdentifier(name);
}
