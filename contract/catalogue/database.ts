import { type FailureKind, ofBoth } from './kind';

/** A database is at fault: the ledger in Postgres, or LNbits' database. */
export const DATABASE = {
  DatabaseUnavailable: {
    scope: 'database',
    retryable: true,
    ofLnbits: 'SourceUnavailable',
    exit: 'preflight',
    meaning: 'Postgres cannot be reached, or cannot execute the statement now.',
    remedy: 'Check DATABASE_URL, and that Postgres is up, writable and not out of connections or disk.',
  },
  DatabaseMisconfigured: {
    scope: 'database',
    ofLnbits: 'SourceMisconfigured',
    exit: 'preflight',
    meaning: 'Postgres refused a statement finally: a table, a column or a right is missing.',
    remedy:
      'Check DATABASE_URL (database, user), the rights of the user, and "queries" in REPUBLISH_CONFIG against the tables. For the schema `republish` itself: republish migrate.',
  },
  SourceUnavailable: {
    scope: 'database',
    retryable: true,
    exit: 'preflight',
    meaning: "LNbits' database cannot be reached, or cannot be read now.",
    remedy:
      'Check LNBITS_DATABASE_URL (default: DATABASE_URL): that Postgres is up, or that the folder with database.sqlite3 is there and readable.',
  },
  SourceMisconfigured: {
    scope: 'database',
    exit: 'preflight',
    meaning:
      "LNbits' database does not match the configuration: a table, a column, a right or the extension itself is missing.",
    remedy:
      'Check LNBITS_DATABASE_URL, the rights of the user, and "preset" and "queries" in the configuration against the tables. republish doctor names the query.',
  },
  SuperConfigMissing: {
    scope: 'database',
    ofState: true,
    ...ofBoth(({ again }) => ({
      meaning:
        'The table super_config has no row. The extension always has one, so this is the wrong database.',
      remedy: `Check that LNBITS_DATABASE_URL and "preset" lead to the database that LNbits really uses, on the workers too; restart them. Then ${again}.`,
    })),
  },
  LedgerIncomplete: {
    scope: 'database',
    exit: 'partlyDone',
    ...ofBoth(({ subject, againAnew }) => ({
      meaning: `The ledger has fewer documents of the ${subject} than were planned: during the ${subject} the database was put back to an earlier state, by a restore or by a failover to a standby that lagged.`,
      remedy: `The next ${subject} plans again and does what is missing: ${againAnew}.`,
    })),
  },
  SequenceBehind: {
    scope: 'database',
    retryable: true,
    ...ofBoth(({ subject }) => ({
      meaning:
        'A sequence of Postgres gives a number that a row already has. Logical replication does not copy sequences, so after a switch-over they are behind.',
      remedy: `As the owner of the schema: republish migrate (it sets the sequences). The ${subject} then continues automatically.`,
    })),
  },
  AuditChanged: {
    scope: 'database',
    meaning:
      'The audit in the database is not the audit that was written: rows, or their runs, fleets and documents in the ledger, were changed, removed or inserted since.',
    remedy:
      'Leave the database as it is and compare it with a backup. docs/operations.md, "Tampering", says what the chain proves.',
  },
} as const satisfies Record<string, FailureKind>;
