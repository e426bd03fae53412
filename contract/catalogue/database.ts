import type { FailureKind } from './kind';

/** What is wrong with a database: the ledger in Postgres, or the one of LNbits. */
export const DATABASE = {
  DatabaseUnavailable: {
    scope: 'database',
    retryable: true,
    ofLnbits: 'SourceUnavailable',
    exit: 'preflight',
    meaning: 'Postgres could not be reached or could not take the statement now.',
    remedy: 'Check DATABASE_URL, and that Postgres is up, writable and not out of connections or disk.',
  },
  DatabaseMisconfigured: {
    scope: 'database',
    ofLnbits: 'SourceMisconfigured',
    exit: 'preflight',
    meaning: 'Postgres refused a statement for good: a table, column or right is missing.',
    remedy:
      'Check DATABASE_URL (database, user), "queries" in REPUBLISH_CONFIG against the tables, and the rights of the user; for the schema `republish` itself: republish migrate.',
  },
  SourceUnavailable: {
    scope: 'database',
    retryable: true,
    exit: 'preflight',
    meaning: "LNbits' database could not be reached, or could not be read now.",
    remedy:
      'Check LNBITS_DATABASE_URL (default: DATABASE_URL): that Postgres is up, or that the folder with database.sqlite3 is there and readable.',
  },
  SourceMisconfigured: {
    scope: 'database',
    exit: 'preflight',
    meaning:
      "LNbits' database is not as the configuration says: a table, column, right or the extension itself is missing.",
    remedy:
      'Check LNBITS_DATABASE_URL, "preset" and "queries" in the configuration against the tables, and the rights of the user; republish doctor names the query.',
  },
  SuperConfigMissing: {
    scope: 'database',
    ofState: true,
    meaning:
      'The table super_config has no row. The extension always has one, so this is the wrong database.',
    remedy:
      'Check that LNBITS_DATABASE_URL and "preset" lead to the database that LNbits really uses, then start again.',
  },
  LedgerIncomplete: {
    scope: 'database',
    exit: 'partlyDone',
    meaning:
      'The ledger has fewer documents of the run than were planned: the database was put back to an earlier state meanwhile, by a restore or by a failover to a standby that lagged.',
    remedy: 'Start again: the run plans anew and does what is missing.',
  },
  SequenceBehind: {
    scope: 'database',
    retryable: true,
    meaning:
      'Postgres numbers the rows of a table, and the next number is taken already: sequences are not copied by logical replication, so after a switch-over they are behind.',
    remedy:
      'As the owner of the schema: republish migrate (it sets the sequences behind the rows). A run goes on by itself then.',
  },
  AuditChanged: {
    scope: 'database',
    meaning:
      'The audit in the database is not what was written: a row, or what the ledger says of its documents, was changed, cut or put in since.',
    remedy:
      'Leave the database as it is and compare it with a backup. docs/operations.md says what the chain proves, under "Tampering".',
  },
} as const satisfies Record<string, FailureKind>;
