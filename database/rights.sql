-- The least that a worker and a pairing need of the ledger, the schema `republish`.
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
END $$;

-- `republish worker`: nothing is ever deleted, and the audit is only appended to.
GRANT USAGE ON SCHEMA republish TO republish_worker, republish_pairing;
GRANT SELECT ON republish.migrations TO republish_worker, republish_pairing;
GRANT SELECT, INSERT, UPDATE ON republish.documents TO republish_worker;
GRANT SELECT, INSERT, UPDATE (operator_pubkey, sweeps, closed_at) ON republish.runs TO republish_worker;
GRANT SELECT, INSERT, UPDATE (holder) ON republish.pages TO republish_worker;
GRANT SELECT, INSERT ON republish.signer_proofs TO republish_worker;
GRANT SELECT, INSERT ON republish.audit_log TO republish_worker;
GRANT SELECT, INSERT, UPDATE ON republish.fleets, republish.fleet_operators TO republish_worker;
GRANT SELECT, INSERT ON republish.fleet_audit_log TO republish_worker;
-- Where a bunker has moved to is all that a worker changes about a signer.
GRANT SELECT, UPDATE (bunker_relays) ON republish.signers TO republish_worker;

-- `republish plan` with a worker's configuration says what a run is expected to take.
GRANT SELECT ON republish.signer_checks TO republish_worker;

-- `republish signer ...`, `republish audit`: run by a person.
GRANT SELECT, INSERT, UPDATE, DELETE ON republish.signers, republish.pairings, republish.signer_checks TO republish_pairing;
GRANT SELECT ON republish.runs, republish.documents, republish.audit_log TO republish_pairing;
GRANT SELECT ON republish.fleets, republish.fleet_operators, republish.fleet_audit_log TO republish_pairing;
