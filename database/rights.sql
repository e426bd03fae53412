-- The least that a worker and a pairing need: read what LNbits' tables say about machines, write the schema `republish`.
--
--   republish migrate                                  as the owner of the database, once for each release
--   psql "$OWNER_DATABASE_URL" -f database/rights.sql  as the owner of LNbits' tables; again after each release
--   CREATE ROLE republish_1 LOGIN PASSWORD '...' IN ROLE republish_worker;
--
-- Tables of the preset `spirekeeper` stand here: put in their place the schema of yours, or the tables that "queries" names.

DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'republish_worker') THEN
    CREATE ROLE republish_worker NOLOGIN;
  END IF;
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'republish_pairing') THEN
    CREATE ROLE republish_pairing NOLOGIN;
  END IF;
END $$;

-- LNbits' tables: read only, and of `accounts` nothing but these two columns (it holds password hashes).
GRANT USAGE ON SCHEMA public, spirekeeper TO republish_worker, republish_pairing;
GRANT SELECT (id, pubkey) ON public.accounts TO republish_worker, republish_pairing;
GRANT SELECT (id, operator_user_id, name, machine_npub, operator_cash_in_fee_fraction, operator_cash_out_fee_fraction)
  ON spirekeeper.dca_machines TO republish_worker;
GRANT SELECT ON spirekeeper.super_config, spirekeeper.cassette_configs TO republish_worker;

-- `republish worker`: nothing is ever deleted, and the audit is only appended to.
GRANT USAGE ON SCHEMA republish TO republish_worker, republish_pairing;
GRANT SELECT ON republish.migrations TO republish_worker, republish_pairing;
GRANT SELECT, INSERT, UPDATE ON republish.runs, republish.documents TO republish_worker;
GRANT SELECT, INSERT ON republish.audit_log TO republish_worker;
GRANT SELECT, INSERT, UPDATE ON republish.fleets, republish.fleet_operators TO republish_worker;
GRANT SELECT, INSERT ON republish.fleet_audit_log TO republish_worker;
-- Where a bunker has moved to is all that a worker changes about a signer.
GRANT SELECT, UPDATE (bunker_relays) ON republish.signers TO republish_worker;

-- `republish signer ...`, `republish audit`: run by a person.
GRANT SELECT, INSERT, UPDATE, DELETE ON republish.signers, republish.pairings TO republish_pairing;
GRANT SELECT ON republish.runs, republish.documents, republish.audit_log TO republish_pairing;
GRANT SELECT ON republish.fleets, republish.fleet_operators, republish.fleet_audit_log TO republish_pairing;
