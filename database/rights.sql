-- Made by `npm run docs:rights` from database/rights-list.ts and sources/rights.ts; change it there.
--
-- The least that each role needs of the ledger, the schema `republish`. `republish doctor --as <role>` says whether a login has it.
--
--   republish migrate                                  as the owner of the database, once for each release
--   psql "$OWNER_DATABASE_URL" -f database/rights.sql  as the same; again after each release
--   CREATE ROLE republish_1 LOGIN PASSWORD '...' IN ROLE republish_worker;
--
-- What is read of LNbits, in this database or another one: database/rights-lnbits.sql, to be run after this.

DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'republish_worker') THEN
    CREATE ROLE republish_worker NOLOGIN;
  END IF;
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'republish_pairing') THEN
    CREATE ROLE republish_pairing NOLOGIN;
  END IF;
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'republish_inspector') THEN
    CREATE ROLE republish_inspector NOLOGIN;
  END IF;
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'republish_migrator') THEN
    CREATE ROLE republish_migrator NOLOGIN;
  END IF;
END $$;

-- republish worker, republish end: it deletes nothing, only appends to the audit, and changes of a signer where its bunker has moved to.
GRANT USAGE ON SCHEMA republish TO republish_worker;
GRANT SELECT ON republish.migrations TO republish_worker;
GRANT SELECT, UPDATE (bunker_relays) ON republish.signers TO republish_worker;
GRANT SELECT ON republish.signer_checks TO republish_worker;
GRANT SELECT, INSERT, UPDATE (operator_pubkey, sweeps, closed_at) ON republish.runs TO republish_worker;
GRANT SELECT, INSERT, UPDATE (holder) ON republish.pages TO republish_worker;
GRANT SELECT, INSERT, UPDATE ON republish.documents TO republish_worker;
GRANT SELECT, INSERT ON republish.signer_proofs TO republish_worker;
GRANT SELECT, INSERT ON republish.audit_log TO republish_worker;
GRANT SELECT, INSERT, UPDATE ON republish.fleets TO republish_worker;
GRANT SELECT, INSERT, UPDATE ON republish.fleet_operators TO republish_worker;
GRANT SELECT, INSERT ON republish.fleet_audit_log TO republish_worker;
GRANT EXECUTE ON FUNCTION republish.seal_document TO republish_worker;
GRANT EXECUTE ON FUNCTION republish.sign_document TO republish_worker;

-- republish signer ...; it also reads runs, fleets and audits.
GRANT USAGE ON SCHEMA republish TO republish_pairing;
GRANT SELECT ON republish.migrations TO republish_pairing;
GRANT SELECT, INSERT, UPDATE, DELETE ON republish.signers TO republish_pairing;
GRANT SELECT, INSERT, UPDATE, DELETE ON republish.pairings TO republish_pairing;
GRANT SELECT, INSERT, UPDATE, DELETE ON republish.signer_checks TO republish_pairing;
GRANT SELECT ON republish.runs TO republish_pairing;
GRANT SELECT ON republish.documents TO republish_pairing;
GRANT SELECT ON republish.audit_log TO republish_pairing;
GRANT SELECT ON republish.fleets TO republish_pairing;
GRANT SELECT ON republish.fleet_operators TO republish_pairing;
GRANT SELECT ON republish.fleet_audit_log TO republish_pairing;

-- republish plan, verify, orphans, audit, report, doctor: it writes nothing.
GRANT USAGE ON SCHEMA republish TO republish_inspector;
GRANT SELECT ON republish.migrations TO republish_inspector;
GRANT SELECT ON republish.signers TO republish_inspector;
GRANT SELECT ON republish.signer_checks TO republish_inspector;
GRANT SELECT ON republish.runs TO republish_inspector;
GRANT SELECT ON republish.documents TO republish_inspector;
GRANT SELECT ON republish.signer_proofs TO republish_inspector;
GRANT SELECT ON republish.audit_log TO republish_inspector;
GRANT SELECT ON republish.fleets TO republish_inspector;
GRANT SELECT ON republish.fleet_operators TO republish_inspector;
GRANT SELECT ON republish.fleet_audit_log TO republish_inspector;

-- republish migrate.
GRANT USAGE, CREATE ON SCHEMA republish TO republish_migrator;
-- Only where it has to make the schema: GRANT CREATE ON DATABASE <this database> TO republish_migrator;
GRANT SELECT, INSERT ON republish.migrations TO republish_migrator;
