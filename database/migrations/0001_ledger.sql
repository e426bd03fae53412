-- The ledger, the audit, the signers and the fleets. Everything lives in the schema `republish`; LNbits' own tables are never touched.

CREATE TABLE republish.signers (
  operator_user_id text PRIMARY KEY,
  kind             text NOT NULL CHECK (kind IN ('local', 'bunker')),
  -- The public key that signs: the user's, not the bunker's own.
  pubkey           text NOT NULL CHECK (pubkey ~ '^[0-9a-f]{64}$'),
  -- NIP-49. local: the operator's key. bunker: the client key, made once and reused for ever (NIP-46 secrets work once).
  ncryptsec        text NOT NULL,
  bunker_pubkey    text CHECK (bunker_pubkey ~ '^[0-9a-f]{64}$'),
  -- Over which it is reached: those that were named at the pairing, or those to which the bunker has moved
  -- since.
  bunker_relays    text[],
  -- Those that whoever paired it has named. A bunker that names others may not lead further than they allow.
  named_relays     text[],
  added_at         timestamptz NOT NULL DEFAULT now(),
  CHECK ((kind = 'bunker') = (bunker_pubkey IS NOT NULL AND bunker_relays IS NOT NULL AND named_relays IS NOT NULL))
);

-- Client keys of pairings that were begun. Written before `connect` is sent: a crash after it would otherwise burn the
-- URI's secret together with a client key that nobody has any more.
CREATE TABLE republish.pairings (
  operator_user_id text NOT NULL,
  bunker_pubkey    text NOT NULL CHECK (bunker_pubkey ~ '^[0-9a-f]{64}$'),
  -- Keyed hash of the URI's secret: another URI of the same bunker is another pairing, with a client key of
  -- its own.
  secret_tag       text NOT NULL,
  ncryptsec        text NOT NULL,
  begun_at         timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (operator_user_id, bunker_pubkey, secret_tag)
);

-- How quick a signer was when it was tried (`republish signer check --deep`), for what a run is expected to
-- take.
CREATE TABLE republish.signer_checks (
  operator_user_id text PRIMARY KEY,
  -- As in signer_proofs: a signer that is paired anew is another one.
  signer           text NOT NULL,
  ms_per_document  double precision NOT NULL CHECK (ms_per_document > 0),
  -- It did all at once that it was asked for at once, so more may go as well.
  at_most          boolean NOT NULL,
  checked_at       timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE republish.runs (
  -- Temporal's firstExecutionRunId, which stays across continue-as-new.
  run_id           text PRIMARY KEY,
  workflow_id      text NOT NULL,
  operator_user_id text NOT NULL,
  operator_pubkey  text,
  document_types   text[] NOT NULL,
  -- Sign anew what stands unchanged; set counts that the machines keep themselves.
  force            boolean NOT NULL,
  reset_counts     boolean NOT NULL,
  -- All that was asked, as it came to the workflow: which machines, which key was expected, why.
  request          json NOT NULL,
  -- How many sweeps have begun. Only the newest may say that a document is lost.
  sweeps           integer NOT NULL DEFAULT 0,
  started_at       timestamptz NOT NULL DEFAULT now(),
  -- With the audit row: from here on nothing that belongs to the run changes.
  closed_at        timestamptz
);
CREATE INDEX runs_by_operator ON republish.runs (operator_user_id, started_at DESC);

-- A page is the unit of work: up to a hundred documents of one document type.
CREATE TABLE republish.pages (
  run_id        text NOT NULL REFERENCES republish.runs,
  page          integer NOT NULL,
  document_type text NOT NULL,
  -- Whose failures are taken. Raised when an attempt begins, and by retry, skip and the settling after a time-out: whoever has an
  -- older number has been overtaken.
  holder        integer NOT NULL DEFAULT 0,
  PRIMARY KEY (run_id, page)
);

CREATE TABLE republish.documents (
  run_id            text NOT NULL,
  document_type     text NOT NULL,
  machine_id        text NOT NULL,
  page              integer NOT NULL,
  machine_name      text NOT NULL,
  atm_pubkey        text,
  operator_pubkey   text NOT NULL,
  -- Keyed hash of what was encrypted: tells "unchanged" without keeping the state or anything it could be guessed from.
  state_fingerprint text,
  -- The seal: from here on the event id is fixed, whatever the bunker does.
  event_id          text,
  created_at_s      bigint,
  unsigned_event    jsonb,
  signature         text,
  -- The seal is an earlier run's signed event of the same state: nothing had to be signed again.
  reused            boolean NOT NULL DEFAULT false,
  -- The reused event was refused by relays, and another one was sealed in its place: once for each document.
  resealed          boolean NOT NULL DEFAULT false,
  -- The newest answer of each relay: { url: { state, detail? } }.
  relays            jsonb NOT NULL DEFAULT '{}',
  superseded_by     text,
  outcome           text CHECK (outcome IN ('published', 'unchanged', 'superseded', 'skipped', 'failed')),
  -- Of an open document: the failure of its last try.
  failure_type      text,
  failure_message   text,
  -- Tries in vain since `trouble_since`; every new fact clears both.
  tries             integer NOT NULL DEFAULT 0,
  trouble_since     timestamptz,
  -- How often the signer's questions were put anew: after an answer that could not be used, and by a person's
  -- retry. A part of the ids of requests to a bunker, since some repeat what they have once answered to an
  -- id.
  question          integer NOT NULL DEFAULT 0,
  -- Number of whoever wrote the failure: the page's holder, or the run's sweep.
  written_by        integer,
  sealed_at         timestamptz,
  signed_at         timestamptz,
  sent_at           timestamptz,
  settled_at        timestamptz,
  PRIMARY KEY (run_id, document_type, machine_id),
  FOREIGN KEY (run_id, page) REFERENCES republish.pages,
  CHECK (signature IS NULL OR event_id IS NOT NULL),
  CHECK (outcome NOT IN ('published', 'unchanged') OR signature IS NOT NULL),
  CHECK (outcome <> 'superseded' OR event_id IS NOT NULL),
  CHECK (outcome <> 'failed' OR failure_type IS NOT NULL)
);
CREATE INDEX documents_by_address ON republish.documents (operator_pubkey, document_type, atm_pubkey, created_at_s DESC)
  WHERE event_id IS NOT NULL;
-- COLLATE "C": the order, and with it the cursor of the sweep, must not depend on the locale of the server.
CREATE INDEX documents_by_page ON republish.documents (run_id, page, machine_id COLLATE "C");
CREATE INDEX open_documents ON republish.documents (run_id, page) WHERE outcome IS NULL;

-- Signers that have shown to a run which key they have, and that a machine can read what they encrypt.
CREATE TABLE republish.signer_proofs (
  run_id    text NOT NULL REFERENCES republish.runs,
  -- '<kind> <bunker key or pubkey> <client pubkey or nothing>'
  signer    text NOT NULL,
  proved_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (run_id, signer)
);

-- The rules of the ledger. The statements of database/ledger keep to them by themselves, so that what comes too late changes nothing.
-- Here they are kept whatever the code does, and whoever writes.

-- What belongs to a closed run is frozen. The run's row is locked before it is looked at: a close, which locks it FOR UPDATE, waits for
-- whoever writes, and whoever writes waits for the close. Once for each statement, not for each row.
CREATE FUNCTION republish.refuse_after_close() RETURNS trigger LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
  touched_run text;
  closed timestamptz;
BEGIN
  FOR touched_run IN SELECT DISTINCT touched.run_id FROM touched LOOP
    SELECT run.closed_at INTO closed FROM republish.runs AS run WHERE run.run_id = touched_run FOR KEY SHARE;
    IF closed IS NOT NULL THEN
      RAISE EXCEPTION 'run % is closed: % on %.% refused', touched_run, TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME;
    END IF;
  END LOOP;
  RETURN NULL;
END $$;

CREATE FUNCTION republish.refuse_truncate() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT FROM republish.runs WHERE closed_at IS NOT NULL) THEN
    RAISE EXCEPTION 'there are closed runs: TRUNCATE on %.% refused', TG_TABLE_SCHEMA, TG_TABLE_NAME;
  END IF;
  RETURN NULL;
END $$;

DO $$
DECLARE
  frozen text;
BEGIN
  FOREACH frozen IN ARRAY ARRAY['documents', 'pages', 'signer_proofs'] LOOP
    EXECUTE format('CREATE TRIGGER frozen_insert AFTER INSERT ON republish.%I REFERENCING NEW TABLE AS touched
                    FOR EACH STATEMENT EXECUTE FUNCTION republish.refuse_after_close()', frozen);
    EXECUTE format('CREATE TRIGGER frozen_update AFTER UPDATE ON republish.%I REFERENCING OLD TABLE AS touched
                    FOR EACH STATEMENT EXECUTE FUNCTION republish.refuse_after_close()', frozen);
    EXECUTE format('CREATE TRIGGER frozen_delete AFTER DELETE ON republish.%I REFERENCING OLD TABLE AS touched
                    FOR EACH STATEMENT EXECUTE FUNCTION republish.refuse_after_close()', frozen);
    EXECUTE format('CREATE TRIGGER frozen_truncate BEFORE TRUNCATE ON republish.%I
                    FOR EACH STATEMENT EXECUTE FUNCTION republish.refuse_truncate()', frozen);
  END LOOP;
END $$;

-- Raises what the trigger says that it refuses.
CREATE FUNCTION republish.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% (run %): % on %.% refused', TG_ARGV[0], OLD.run_id, TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME;
END $$;

CREATE TRIGGER closed BEFORE UPDATE ON republish.runs FOR EACH ROW
  WHEN (OLD.closed_at IS NOT NULL) EXECUTE FUNCTION republish.refuse('a closed run stays as it is');
CREATE TRIGGER closed_delete BEFORE DELETE ON republish.runs FOR EACH ROW
  WHEN (OLD.closed_at IS NOT NULL) EXECUTE FUNCTION republish.refuse('a closed run stays as it is');
CREATE TRIGGER numbers_rise BEFORE UPDATE ON republish.runs FOR EACH ROW
  WHEN (NEW.sweeps < OLD.sweeps OR NEW.run_id <> OLD.run_id)
  EXECUTE FUNCTION republish.refuse('the number of sweeps only rises, and a run keeps its id');
CREATE TRIGGER numbers_rise BEFORE UPDATE ON republish.pages FOR EACH ROW
  WHEN (NEW.holder < OLD.holder OR (NEW.run_id, NEW.page) IS DISTINCT FROM (OLD.run_id, OLD.page))
  EXECUTE FUNCTION republish.refuse('the holder of a page only rises, and a page keeps its place');
CREATE TRIGGER keep_proof BEFORE UPDATE ON republish.signer_proofs FOR EACH ROW
  EXECUTE FUNCTION republish.refuse('a proof is written once');

-- The close waits for whoever writes, also when somebody forgot to lock the run before, and leaves nothing open.
CREATE FUNCTION republish.close_run() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM FROM republish.runs WHERE run_id = OLD.run_id FOR UPDATE;
  IF EXISTS (SELECT FROM republish.documents WHERE run_id = OLD.run_id AND outcome IS NULL) THEN
    RAISE EXCEPTION 'run % has open documents: it cannot be closed', OLD.run_id;
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER close_run BEFORE UPDATE ON republish.runs FOR EACH ROW
  WHEN (OLD.closed_at IS NULL AND NEW.closed_at IS NOT NULL) EXECUTE FUNCTION republish.close_run();

-- What may become of a document. It runs for each document four times, so it asks nothing but where somebody writes a failure.
CREATE FUNCTION republish.keep_rules() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  good CONSTANT text[] := ARRAY['published', 'unchanged', 'superseded'];
  broken text;
  writer integer;
BEGIN
  IF (NEW.run_id, NEW.page, NEW.document_type, NEW.machine_id, NEW.operator_pubkey)
       IS DISTINCT FROM (OLD.run_id, OLD.page, OLD.document_type, OLD.machine_id, OLD.operator_pubkey) THEN
    broken := 'a document keeps its place';
  ELSIF NEW.question < OLD.question THEN
    broken := 'the number of a question only rises';
  END IF;

  IF (NEW.event_id, NEW.created_at_s, NEW.state_fingerprint, NEW.reused, NEW.resealed, NEW.unsigned_event)
       IS DISTINCT FROM (OLD.event_id, OLD.created_at_s, OLD.state_fingerprint, OLD.reused, OLD.resealed, OLD.unsigned_event) THEN
    IF OLD.outcome IS NOT NULL THEN
      broken := 'only an open document is sealed';
    ELSIF OLD.event_id IS NOT NULL
          AND NOT (OLD.reused AND NOT OLD.resealed AND NEW.resealed AND coalesce(NEW.event_id <> OLD.event_id, false)) THEN
      broken := 'the seal of a document is written once';
    END IF;
  END IF;

  IF NEW.signature IS DISTINCT FROM OLD.signature THEN
    IF OLD.outcome IS NOT NULL THEN
      broken := 'only an open document is signed';
    ELSIF OLD.signature IS NOT NULL AND NEW.event_id = OLD.event_id THEN
      broken := 'the signature of a document is written once';
    END IF;
  ELSIF NEW.event_id <> OLD.event_id AND NEW.signature IS NOT NULL THEN
    broken := 'a signature belongs to one event';
  END IF;

  IF NEW.outcome IS DISTINCT FROM OLD.outcome AND OLD.outcome IS NOT NULL AND NOT
     (CASE WHEN OLD.outcome = ANY (good) THEN coalesce(NEW.outcome IN ('failed', 'superseded'), false)
           ELSE OLD.outcome = 'failed' END) THEN
    broken := format('%s does not become %s', OLD.outcome, coalesce(NEW.outcome, 'open'));
  END IF;

  -- The rows that say whose turn it is are locked FOR SHARE: who raises the number waits for who writes, or the other way round.
  IF NEW.outcome = 'failed' AND OLD.outcome = ANY (good) THEN
    SELECT sweeps INTO writer FROM republish.runs WHERE run_id = OLD.run_id FOR SHARE;
    IF NEW.written_by IS DISTINCT FROM writer THEN
      broken := format('only the newest sweep (%s) says that a document is lost, not %s', writer, coalesce(NEW.written_by::text, 'somebody'));
    END IF;
  ELSIF coalesce(NEW.outcome, 'failed') = 'failed' AND (NEW.failure_type IS NOT NULL OR NEW.tries > 0)
        AND (NEW.outcome, NEW.failure_type, NEW.failure_message, NEW.tries)
              IS DISTINCT FROM (OLD.outcome, OLD.failure_type, OLD.failure_message, OLD.tries) THEN
    SELECT holder INTO writer FROM republish.pages WHERE run_id = OLD.run_id AND page = OLD.page FOR SHARE;
    IF NEW.written_by IS DISTINCT FROM writer THEN
      broken := format('only the holder of the page (%s) writes a failure, not %s', writer, coalesce(NEW.written_by::text, 'somebody'));
    END IF;
  END IF;

  IF broken IS NOT NULL THEN
    RAISE EXCEPTION '% (run %, %, machine %)', broken, OLD.run_id, OLD.document_type, OLD.machine_id;
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER keep_rules BEFORE UPDATE ON republish.documents FOR EACH ROW EXECUTE FUNCTION republish.keep_rules();

-- Seal and signature are functions, since they are made for each document: one call, plans that are kept, and statements that see what
-- others have committed meanwhile, so that what is read behind a lock is as new as the lock. A plan that is kept could have been made
-- while the table was small enough to be read as a whole: never without an index.

-- Seals a document: first writer wins.
--
-- `replaces` is the id of a reused event that relays refuse: the one that may be sealed over, once.
-- `machine_key` is the key that was encrypted for: the plan may have another one by now.
-- Returns the row as it stands then; no row: there is no such document.
CREATE FUNCTION republish.seal_document(
  the_run text, the_type text, the_machine text, event jsonb, fingerprint text, event_signature text, replaces text, machine_key text
) RETURNS SETOF republish.documents LANGUAGE plpgsql VOLATILE SET enable_seqscan = off AS $$
DECLARE
  document republish.documents;
  new_id text := event ->> 'id';
  new_date bigint := (event ->> 'created_at')::bigint;
BEGIN
  SELECT * INTO document FROM republish.documents AS d
   WHERE d.run_id = the_run AND d.document_type = the_type AND d.machine_id = the_machine;
  IF NOT FOUND THEN
    RETURN;
  END IF;
  -- Under a snapshot that is older than the lock, two would find nothing later and take the same second all the same.
  IF current_setting('transaction_isolation') <> 'read committed' THEN
    RAISE EXCEPTION 'a document is sealed in READ COMMITTED, not in %', current_setting('transaction_isolation');
  END IF;
  -- One at a time for each address: two runs could otherwise both find nothing later and take the same second.
  PERFORM pg_advisory_xact_lock(
    hashtextextended(concat_ws(' ', document.operator_pubkey, document.document_type, document.atm_pubkey), 30078));
  -- Before the document, as the close does.
  PERFORM FROM republish.runs AS r WHERE r.run_id = the_run FOR KEY SHARE;
  SELECT * INTO document FROM republish.documents AS d
   WHERE d.run_id = the_run AND d.document_type = the_type AND d.machine_id = the_machine FOR NO KEY UPDATE;
  IF document.outcome IS NULL AND document.atm_pubkey = coalesce(machine_key, document.atm_pubkey)
     AND (document.event_id IS NULL
          OR document.event_id = replaces AND new_id <> replaces AND document.reused AND NOT document.resealed)
     AND NOT EXISTS (SELECT FROM republish.documents AS other
                      WHERE other.operator_pubkey = document.operator_pubkey AND other.document_type = document.document_type
                        AND other.atm_pubkey = document.atm_pubkey AND other.run_id <> document.run_id
                        AND other.event_id IS NOT NULL AND other.event_id <> new_id AND other.created_at_s >= new_date) THEN
    UPDATE republish.documents AS d
       SET event_id = new_id, created_at_s = new_date, unsigned_event = event, state_fingerprint = fingerprint, sealed_at = now(),
           signature = event_signature, signed_at = CASE WHEN event_signature IS NOT NULL THEN now() END,
           reused = event_signature IS NOT NULL, resealed = document.event_id IS NOT NULL,
           sent_at = NULL, relays = '{}', tries = 0, trouble_since = NULL, failure_type = NULL, failure_message = NULL
     WHERE d.run_id = the_run AND d.document_type = the_type AND d.machine_id = the_machine
    RETURNING d.* INTO document;
  END IF;
  RETURN NEXT document;
END $$;

-- Keeps the signature of a sealed event: first writer wins, as long as the document is open.
-- Returns the row as it stands then; no row: the document is not sealed with this event, or not any more.
CREATE FUNCTION republish.sign_document(
  the_run text, the_type text, the_machine text, sealed_event text, event_signature text
) RETURNS SETOF republish.documents LANGUAGE plpgsql VOLATILE SET enable_seqscan = off AS $$
DECLARE
  document republish.documents;
BEGIN
  PERFORM FROM republish.runs AS r WHERE r.run_id = the_run FOR KEY SHARE;
  SELECT * INTO document FROM republish.documents AS d
   WHERE d.run_id = the_run AND d.document_type = the_type AND d.machine_id = the_machine FOR NO KEY UPDATE;
  IF document.event_id IS DISTINCT FROM sealed_event THEN
    RETURN;
  END IF;
  IF document.signature IS NULL AND document.outcome IS NULL THEN
    UPDATE republish.documents AS d
       SET signature = event_signature, signed_at = now(),
           tries = 0, trouble_since = NULL, failure_type = NULL, failure_message = NULL
     WHERE d.run_id = the_run AND d.document_type = the_type AND d.machine_id = the_machine
    RETURNING d.* INTO document;
  END IF;
  RETURN NEXT document;
END $$;

CREATE TABLE republish.audit_log (
  id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  -- One row per run, also when the activity that writes it runs twice.
  run_id           text NOT NULL UNIQUE REFERENCES republish.runs,
  workflow_id      text NOT NULL,
  operator_user_id text NOT NULL,
  operator_pubkey  text,
  outcome          text NOT NULL CHECK (outcome IN ('complete', 'incomplete', 'failed', 'cancelled')),
  -- { document type: [event ids] }, in machine order. json, not jsonb: it keeps the order of the document types.
  events           json NOT NULL,
  -- { document type: { published, unchanged, superseded, skipped, failed } }
  counts           json NOT NULL,
  -- [{ documentType, machineId, type, message }]
  failures         jsonb NOT NULL,
  -- [{ documentType, machineId }]: machines that have no state of a type.
  skipped          jsonb NOT NULL,
  -- [{ documentType, machineId, eventId, supersededBy }]
  superseded       jsonb NOT NULL,
  -- [{ documentType, machineId, relay, state, detail }]: relays that do not hold a document although the quorum does.
  laggards         jsonb NOT NULL,
  -- What people asked of the run while it went on: [{ action, at, by?, reason?, documentType?, machineId? }].
  interventions    jsonb NOT NULL,
  -- What ended the run before its documents: { type, message }.
  failure          jsonb,
  -- All documents were looked at once more at the end; not after a cancel.
  swept            boolean NOT NULL,
  reason           text,
  -- Whole milliseconds, which is what is told of it and what its hash holds.
  written_at       timestamptz NOT NULL,
  -- The rows of an operator are a chain: 1, 2, 3, ... rules/audit-chain.ts says what is hashed, and how.
  position         integer NOT NULL CHECK (position > 0),
  -- Of what the ledger says of each document of the run.
  members_hash     text NOT NULL CHECK (members_hash ~ '^[0-9a-f]{64}$'),
  -- Hash of the operator's row before this one.
  previous_hash    text CHECK (previous_hash ~ '^[0-9a-f]{64}$'),
  -- Of everything above but the id.
  hash             text NOT NULL CHECK (hash ~ '^[0-9a-f]{64}$'),
  -- Two runs of an operator that are closed at the same moment cannot make a fork, whatever the code does.
  UNIQUE (operator_user_id, position),
  CHECK ((position = 1) = (previous_hash IS NULL))
);

-- Fleets: which operators a fleet has, how each of them ended, and one audit row when all have.

CREATE TABLE republish.fleets (
  -- Temporal's firstExecutionRunId, which stays across continue-as-new.
  run_id      text PRIMARY KEY,
  workflow_id text NOT NULL,
  -- What every operator's run is asked for, without the list of operators.
  request     json NOT NULL,
  started_at  timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE republish.fleet_operators (
  run_id           text NOT NULL REFERENCES republish.fleets,
  -- COLLATE "C": the order, and with it the cursor, must not depend on the locale of the server.
  operator_user_id text COLLATE "C" NOT NULL,
  -- Key of the operator's own row in republish.audit_log; a run that could not begin has none.
  operator_run_id  text,
  outcome          text CHECK (outcome IN ('complete', 'incomplete', 'failed', 'cancelled')),
  failure_type     text,
  failure_message  text,
  ended_at         timestamptz,
  PRIMARY KEY (run_id, operator_user_id)
);

CREATE TABLE republish.fleet_audit_log (
  id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  -- One row per fleet, also when the activity that writes it runs twice.
  run_id        text NOT NULL UNIQUE REFERENCES republish.fleets,
  workflow_id   text NOT NULL,
  outcome       text NOT NULL CHECK (outcome IN ('complete', 'incomplete', 'failed', 'cancelled')),
  -- What every operator's run was asked for, without the list of operators.
  request       json NOT NULL,
  -- { complete, incomplete, failed, cancelled, notBegun }
  operators     json NOT NULL,
  -- [{ operatorUserId, runId, outcome, failure }]: all operators that are not complete and were begun.
  failures      jsonb NOT NULL,
  -- What ended the fleet before its operators: { type, message }.
  failure       jsonb,
  reason        text,
  interventions jsonb NOT NULL,
  started_at    timestamptz NOT NULL,
  written_at    timestamptz NOT NULL,
  -- The rows of all fleets are one chain, as those of an operator in audit_log.
  position      integer NOT NULL UNIQUE CHECK (position > 0),
  -- Of what fleet_operators says of each operator who ended.
  members_hash  text NOT NULL CHECK (members_hash ~ '^[0-9a-f]{64}$'),
  previous_hash text CHECK (previous_hash ~ '^[0-9a-f]{64}$'),
  hash          text NOT NULL CHECK (hash ~ '^[0-9a-f]{64}$'),
  CHECK ((position = 1) = (previous_hash IS NULL))
);

CREATE FUNCTION republish.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '%.% is append-only: % refused', TG_TABLE_SCHEMA, TG_TABLE_NAME, TG_OP
    USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON republish.audit_log
  FOR EACH ROW EXECUTE FUNCTION republish.refuse_change();
CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON republish.audit_log
  FOR EACH STATEMENT EXECUTE FUNCTION republish.refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON republish.fleet_audit_log
  FOR EACH ROW EXECUTE FUNCTION republish.refuse_change();
CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON republish.fleet_audit_log
  FOR EACH STATEMENT EXECUTE FUNCTION republish.refuse_change();
