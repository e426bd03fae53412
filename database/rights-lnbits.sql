-- Made by `npm run docs:rights` from database/rights-list.ts and sources/rights.ts; change it there.
--
-- The least that reading LNbits' database needs. Nothing of it is ever written.
--
--   psql "$LNBITS_OWNER_URL" -f database/rights-lnbits.sql  as the owner of LNbits' tables; again after each release of either side
--   CREATE ROLE republish_reads LOGIN PASSWORD '...' IN ROLE republish_lnbits_reader;  -- LNBITS_DATABASE_URL
--   GRANT republish_signer_reader TO republish_reads;                        -- only with signers: lnbits
--
-- Where the ledger is in the same database, one login has both: roles of database/rights.sql that exist are made readers here, and
-- `republish_signer_reader` is granted to the login alone. Tables that "queries" in republish.config.json or a document type of your own
-- reads are to be added; `republish doctor` names them.

DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'republish_lnbits_reader') THEN
    CREATE ROLE republish_lnbits_reader NOLOGIN;
  END IF;
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'republish_signer_reader') THEN
    CREATE ROLE republish_signer_reader NOLOGIN;
  END IF;
END $$;

-- Of `accounts` nothing but these columns: it holds password hashes, and in some installations private keys.
GRANT USAGE ON SCHEMA public TO republish_lnbits_reader, republish_signer_reader;
GRANT SELECT (id, pubkey) ON public.accounts TO republish_lnbits_reader;

-- The account's own signer: whoever has this role can sign as every operator of the installation. Only the columns that are there.
DO $$
DECLARE
  readable text;
BEGIN
  SELECT string_agg(quote_ident(attname), ', ') INTO readable FROM pg_attribute
   WHERE attrelid = 'public.accounts'::regclass AND NOT attisdropped
     AND attname IN ('id', 'pubkey', 'signer_type', 'signer_config', 'prvkey');
  EXECUTE format('GRANT SELECT (%s) ON public.accounts TO republish_signer_reader', readable);
END $$;

-- What the machines' documents are made of, under both names of the extension, and the relays to which LNbits publishes.
DO $$
DECLARE
  tables record;
BEGIN
  FOR tables IN
    SELECT schemaname, tablename FROM pg_tables
     WHERE schemaname IN ('spirekeeper', 'satoshimachine')
           AND tablename IN ('dca_machines', 'cassette_configs', 'super_config')
        OR schemaname = 'nostrclient' AND tablename = 'relays'
  LOOP
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO republish_lnbits_reader', tables.schemaname);
    EXECUTE format('GRANT SELECT ON %I.%I TO republish_lnbits_reader', tables.schemaname, tables.tablename);
  END LOOP;
END $$;

DO $$
DECLARE
  ours name;
BEGIN
  FOR ours IN SELECT rolname FROM pg_roles WHERE rolname IN ('republish_worker', 'republish_pairing', 'republish_inspector') LOOP
    EXECUTE format('GRANT republish_lnbits_reader TO %I', ours);
  END LOOP;
END $$;
