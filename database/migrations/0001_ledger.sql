-- The ledger: signers, runs, fleets and their audit rows. All of it is in the schema `republish`.
-- Tables of LNbits never change.

CREATE TABLE republish.signers (
  operator_user_id text PRIMARY KEY,
  kind             text NOT NULL CHECK (kind IN ('local', 'bunker')),
  -- The public key that signs documents. It is usually not the bunker key.
  pubkey           text NOT NULL CHECK (pubkey ~ '^[0-9a-f]{64}$'),
  -- NIP-49. local: the operator's key. bunker: the client key. It never changes, because the secret of a
  -- bunker URI works once (NIP-46).
  ncryptsec        text NOT NULL,
  bunker_pubkey    text CHECK (bunker_pubkey ~ '^[0-9a-f]{64}$'),
  -- The relays over which the bunker is reached now.
  bunker_relays    text[],
  -- The relays of the pairing. They limit where the bunker may move: no private address that they do not
  -- name.
  named_relays     text[],
  added_at         timestamptz NOT NULL DEFAULT now(),
  CHECK ((kind = 'bunker')
         = (bunker_pubkey IS NOT NULL AND bunker_relays IS NOT NULL AND named_relays IS NOT NULL))
);

-- Client keys of pairings. A row is written before `connect` is sent: after a crash the secret of the URI is
-- used up, and only the same client key can continue.
CREATE TABLE republish.pairings (
  operator_user_id text NOT NULL,
  bunker_pubkey    text NOT NULL CHECK (bunker_pubkey ~ '^[0-9a-f]{64}$'),
  -- Keyed hash of the URI's secret. Another URI of the same bunker is another pairing with another client
  -- key.
  secret_tag       text NOT NULL,
  ncryptsec        text NOT NULL,
  begun_at         timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (operator_user_id, bunker_pubkey, secret_tag)
);

-- The speed of a signer, measured by `republish signer check --deep`. `republish plan` estimates the duration
-- of a run with it.
CREATE TABLE republish.signer_checks (
  operator_user_id text PRIMARY KEY,
  -- As in signer_proofs: a signer that is paired again is another one.
  signer           text NOT NULL,
  ms_per_document  double precision NOT NULL CHECK (ms_per_document > 0),
  -- The signer answered all requests of the check at the same time, so the real time may be shorter.
  at_most          boolean NOT NULL,
  checked_at       timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE republish.runs (
  -- Temporal's firstExecutionRunId. It stays the same across continue-as-new.
  run_id           text PRIMARY KEY,
  workflow_id      text NOT NULL,
  operator_user_id text NOT NULL,
  operator_pubkey  text,
  document_types   text[] NOT NULL,
  -- Sign every document again, also those whose state has not changed.
  force            boolean NOT NULL,
  -- Also publish document types that reset what the machine counts itself.
  reset_counts     boolean NOT NULL,
  -- The input of the workflow.
  request          json NOT NULL,
  -- How many sweeps have begun. Only the newest may fail a document that has a good outcome.
  sweeps           integer NOT NULL DEFAULT 0,
  started_at       timestamptz NOT NULL DEFAULT now(),
  -- Set together with the audit row. From then on the rows of the run are frozen.
  closed_at        timestamptz
);
CREATE INDEX runs_by_operator ON republish.runs (operator_user_id, started_at DESC);

-- A page is the unit of work: up to 100 documents of one document type.
CREATE TABLE republish.pages (
  run_id        text NOT NULL REFERENCES republish.runs,
  page          integer NOT NULL,
  document_type text NOT NULL,
  -- The number of the attempt that may write failures. A new attempt, retry, skip and the settling after a
  -- time-out raise it. So an attempt that is still running after that cannot write a failure.
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
  -- Keyed hash of the state. It tells whether the state has changed, and the state cannot be guessed from it.
  state_fingerprint text,
  -- The seal, written once: the event id is fixed before the bunker is asked for a signature.
  event_id          text,
  created_at_s      bigint,
  unsigned_event    jsonb,
  signature         text,
  -- The seal is a signed event of an earlier run for the same state.
  reused            boolean NOT NULL DEFAULT false,
  -- Relays refused the reused event, and this event was sealed in its place. At most once for each document.
  resealed          boolean NOT NULL DEFAULT false,
  -- The newest answer of each relay: { url: { state, detail? } }.
  relays            jsonb NOT NULL DEFAULT '{}',
  superseded_by     text,
  outcome           text CHECK (outcome IN ('published', 'unchanged', 'superseded', 'skipped', 'failed')),
  -- In an open document: the failure of its last try.
  failure_type      text,
  failure_message   text,
  -- Failed tries, and since when there was only trouble. Every new fact clears both.
  tries             integer NOT NULL DEFAULT 0,
  trouble_since     timestamptz,
  -- A part of the ids of NIP-46 requests. It rises when the signer must get a new question: after an answer
  -- that cannot be used, and after retry. Some bunkers repeat the stored answer to an id.
  question          integer NOT NULL DEFAULT 0,
  -- Who wrote the failure: the number of the page's holder, or of the run's sweep.
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
CREATE INDEX documents_by_address
  ON republish.documents (operator_pubkey, document_type, atm_pubkey, created_at_s DESC)
  WHERE event_id IS NOT NULL;
-- COLLATE "C": the order of the sweep's cursor must not depend on the locale of the server.
CREATE INDEX documents_by_page ON republish.documents (run_id, page, machine_id COLLATE "C");
CREATE INDEX open_documents ON republish.documents (run_id, page) WHERE outcome IS NULL;

-- Signers that passed proveSigner in a run: they named their key, and a machine can decrypt what they
-- encrypt.
CREATE TABLE republish.signer_proofs (
  run_id    text NOT NULL REFERENCES republish.runs,
  -- '<kind> <bunker key or pubkey> <hash of the stored key>'; without the hash for a signer of a provider
  signer    text NOT NULL,
  proved_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (run_id, signer)
);

-- The rules of the ledger. The statements of database/ledger follow them, and a late statement changes
-- nothing. The triggers enforce them for every other statement: a bug, another program, a person with psql.

-- The rows of a closed run are frozen. The trigger locks the row of the run FOR KEY SHARE before it reads
-- `closed_at`, and the close locks it FOR UPDATE. So the close waits for this statement, or this statement
-- sees the close. It runs once for each statement, not for each row.
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

-- Raises the message that the trigger gives as its argument.
CREATE FUNCTION republish.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% (run %): % on %.% refused',
    TG_ARGV[0], OLD.run_id, TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME;
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

-- A close waits for statements that write to the run, also when the caller has not locked the run before. It
-- is refused while a document is open.
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

-- The changes that a document allows. The trigger runs about four times for each document, so it reads
-- another table only when a failure is written.
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
       IS DISTINCT FROM
     (OLD.event_id, OLD.created_at_s, OLD.state_fingerprint, OLD.reused, OLD.resealed, OLD.unsigned_event)
  THEN
    IF OLD.outcome IS NOT NULL THEN
      broken := 'only an open document is sealed';
    ELSIF OLD.event_id IS NOT NULL
          AND NOT (OLD.reused AND NOT OLD.resealed AND NEW.resealed
                   AND coalesce(NEW.event_id <> OLD.event_id, false)) THEN
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

  -- FOR SHARE: a statement that raises the number waits for this one, or this one waits and sees the new
  -- number.
  IF NEW.outcome = 'failed' AND OLD.outcome = ANY (good) THEN
    SELECT sweeps INTO writer FROM republish.runs WHERE run_id = OLD.run_id FOR SHARE;
    IF NEW.written_by IS DISTINCT FROM writer THEN
      broken := format('only the newest sweep (%s) says that a document is lost, not %s',
                       writer, coalesce(NEW.written_by::text, 'somebody'));
    END IF;
  ELSIF coalesce(NEW.outcome, 'failed') = 'failed' AND (NEW.failure_type IS NOT NULL OR NEW.tries > 0)
        AND (NEW.outcome, NEW.failure_type, NEW.failure_message, NEW.tries)
              IS DISTINCT FROM (OLD.outcome, OLD.failure_type, OLD.failure_message, OLD.tries) THEN
    SELECT holder INTO writer FROM republish.pages WHERE run_id = OLD.run_id AND page = OLD.page FOR SHARE;
    IF NEW.written_by IS DISTINCT FROM writer THEN
      broken := format('only the holder of the page (%s) writes a failure, not %s',
                       writer, coalesce(NEW.written_by::text, 'somebody'));
    END IF;
  END IF;

  IF broken IS NOT NULL THEN
    RAISE EXCEPTION '% (run %, %, machine %)', broken, OLD.run_id, OLD.document_type, OLD.machine_id;
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER keep_rules BEFORE UPDATE ON republish.documents
  FOR EACH ROW EXECUTE FUNCTION republish.keep_rules();

-- Seal and signature are functions, because each document needs several statements for them:
-- - One call is one round trip, and Postgres keeps the plans.
-- - In READ COMMITTED each statement of a function sees what others have committed. So a read after a lock
--   is as new as the lock.
-- - enable_seqscan = off: a kept plan may be from a time when the table was small. It must use an index
--   also then.

-- Seals a document. The first writer wins.
--
-- `replaces` is the id of a reused event that relays refuse. It is the only seal that may be replaced, and
-- only once.
-- `machine_key` is the key that the content is encrypted to. A new plan may have given the row another key.
-- Returns the row of the document after this. No row: there is no such document.
CREATE FUNCTION republish.seal_document(
  the_run text, the_type text, the_machine text, event jsonb, fingerprint text, event_signature text,
  replaces text, machine_key text
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
  -- A snapshot from before the lock would not show a seal that another run has just committed.
  IF current_setting('transaction_isolation') <> 'read committed' THEN
    RAISE EXCEPTION 'a document is sealed in READ COMMITTED, not in %',
      current_setting('transaction_isolation');
  END IF;
  -- One seal at a time for each address. Otherwise two runs could both find no later seal and take the same
  -- second.
  PERFORM pg_advisory_xact_lock(hashtextextended(
    concat_ws(' ', document.operator_pubkey, document.document_type, document.atm_pubkey), 30078));
  -- The run before the document, as the close does: in another order the two could wait for each other.
  PERFORM FROM republish.runs AS r WHERE r.run_id = the_run FOR KEY SHARE;
  SELECT * INTO document FROM republish.documents AS d
   WHERE d.run_id = the_run AND d.document_type = the_type AND d.machine_id = the_machine FOR NO KEY UPDATE;
  IF document.outcome IS NULL AND document.atm_pubkey = coalesce(machine_key, document.atm_pubkey)
     AND (document.event_id IS NULL
          OR document.event_id = replaces AND new_id <> replaces
             AND document.reused AND NOT document.resealed)
     AND NOT EXISTS (SELECT FROM republish.documents AS other
                      WHERE other.operator_pubkey = document.operator_pubkey
                        AND other.document_type = document.document_type
                        AND other.atm_pubkey = document.atm_pubkey AND other.run_id <> document.run_id
                        AND other.event_id IS NOT NULL AND other.event_id <> new_id
                        AND other.created_at_s >= new_date) THEN
    UPDATE republish.documents AS d
       SET event_id = new_id, created_at_s = new_date, unsigned_event = event,
           state_fingerprint = fingerprint, sealed_at = now(), signature = event_signature,
           signed_at = CASE WHEN event_signature IS NOT NULL THEN now() END,
           reused = event_signature IS NOT NULL, resealed = document.event_id IS NOT NULL,
           sent_at = NULL, relays = '{}',
           tries = 0, trouble_since = NULL, failure_type = NULL, failure_message = NULL
     WHERE d.run_id = the_run AND d.document_type = the_type AND d.machine_id = the_machine
    RETURNING d.* INTO document;
  END IF;
  RETURN NEXT document;
END $$;

-- Stores the signature of a sealed event of an open document. The first writer wins. Returns the row of the
-- document after this. No row: the document is not, or no longer, sealed with this event.
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
  -- UNIQUE: the activity that writes the row may run twice.
  run_id           text NOT NULL UNIQUE REFERENCES republish.runs,
  workflow_id      text NOT NULL,
  operator_user_id text NOT NULL,
  operator_pubkey  text,
  outcome          text NOT NULL CHECK (outcome IN ('complete', 'incomplete', 'failed', 'cancelled')),
  -- { document type: [event ids] }, in the order of the machine ids. json keeps the order of the document
  -- types.
  events           json NOT NULL,
  -- { document type: { published, unchanged, superseded, skipped, failed } }
  counts           json NOT NULL,
  -- [{ documentType, machineId, type, message }]
  failures         jsonb NOT NULL,
  -- [{ documentType, machineId, reason? }]. Without a reason: the machine has no state of that type.
  skipped          jsonb NOT NULL,
  -- [{ documentType, machineId, eventId, supersededBy }]
  superseded       jsonb NOT NULL,
  -- [{ documentType, machineId, relay, state, detail }]: relays without a document that a quorum holds.
  laggards         jsonb NOT NULL,
  -- The controls that people used: [{ action, at, by?, reason?, documentType?, machineId? }].
  interventions    jsonb NOT NULL,
  -- What ended the run before its documents were settled: { type, message }.
  failure          jsonb,
  -- The sweep looked at every signed document before this row was written. False after a cancel.
  swept            boolean NOT NULL,
  reason           text,
  -- Whole milliseconds, because the hash covers milliseconds.
  written_at       timestamptz NOT NULL,
  -- The audit chain of an operator: 1, 2, 3, ... rules/audit-chain.ts defines what is hashed, and how.
  position         integer NOT NULL CHECK (position > 0),
  -- Hash of the run and its documents.
  members_hash     text NOT NULL CHECK (members_hash ~ '^[0-9a-f]{64}$'),
  -- Hash of the operator's earlier row.
  previous_hash    text CHECK (previous_hash ~ '^[0-9a-f]{64}$'),
  -- Hash of all columns above, without the id.
  hash             text NOT NULL CHECK (hash ~ '^[0-9a-f]{64}$'),
  -- Two runs of an operator that close at the same moment cannot fork the chain.
  UNIQUE (operator_user_id, position),
  CHECK ((position = 1) = (previous_hash IS NULL))
);

-- Fleets: the operators of a fleet, how each of them ended, and one audit row at the end.

CREATE TABLE republish.fleets (
  -- Temporal's firstExecutionRunId. It stays the same across continue-as-new.
  run_id      text PRIMARY KEY,
  workflow_id text NOT NULL,
  -- The input of the workflow without the list of operators.
  request     json NOT NULL,
  started_at  timestamptz NOT NULL DEFAULT now(),
  -- Set together with the audit row. From then on the row is frozen.
  closed_at   timestamptz
);
CREATE TRIGGER closed BEFORE UPDATE ON republish.fleets FOR EACH ROW
  WHEN (OLD.closed_at IS NOT NULL) EXECUTE FUNCTION republish.refuse('a closed fleet stays as it is');
CREATE TRIGGER closed_delete BEFORE DELETE ON republish.fleets FOR EACH ROW
  WHEN (OLD.closed_at IS NOT NULL) EXECUTE FUNCTION republish.refuse('a closed fleet stays as it is');

CREATE TABLE republish.fleet_operators (
  run_id           text NOT NULL REFERENCES republish.fleets,
  -- COLLATE "C": the order of the cursor must not depend on the locale of the server.
  operator_user_id text COLLATE "C" NOT NULL,
  -- Key of the run's row in republish.audit_log. NULL: the run could not be started. With an outcome that is
  -- NULL: the run continued when `republish fleet end` ended the fleet.
  operator_run_id  text,
  outcome          text CHECK (outcome IN ('complete', 'incomplete', 'failed', 'cancelled')),
  failure_type     text,
  failure_message  text,
  ended_at         timestamptz,
  PRIMARY KEY (run_id, operator_user_id)
);

CREATE TABLE republish.fleet_audit_log (
  id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  -- UNIQUE: the activity that writes the row may run twice.
  run_id        text NOT NULL UNIQUE REFERENCES republish.fleets,
  workflow_id   text NOT NULL,
  outcome       text NOT NULL CHECK (outcome IN ('complete', 'incomplete', 'failed', 'cancelled')),
  -- The input of the workflow without the list of operators.
  request       json NOT NULL,
  -- How many operators: { complete, incomplete, failed, cancelled, notBegun }, and `running` if the fleet was
  -- ended while runs were running.
  operators     json NOT NULL,
  -- [{ operatorUserId, runId, outcome, failure }]: operators with another outcome than `complete`.
  failures      jsonb NOT NULL,
  -- What ended the fleet before its operators: { type, message }.
  failure       jsonb,
  reason        text,
  interventions jsonb NOT NULL,
  started_at    timestamptz NOT NULL,
  written_at    timestamptz NOT NULL,
  -- The rows of all fleets are one audit chain.
  position      integer NOT NULL UNIQUE CHECK (position > 0),
  -- Hash of the fleet and its operators that have an outcome or a run.
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
