-- The ledger, the audit and the signers. Everything lives in the schema `republish`; LNbits' own tables are never touched.

CREATE TABLE republish.signers (
  operator_user_id text PRIMARY KEY,
  kind             text NOT NULL CHECK (kind IN ('local', 'bunker')),
  -- The public key that signs: the user's, not the bunker's own.
  pubkey           text NOT NULL CHECK (pubkey ~ '^[0-9a-f]{64}$'),
  -- NIP-49. local: the operator's key. bunker: the client key, made once and reused for ever (NIP-46 secrets work once).
  ncryptsec        text NOT NULL,
  bunker_pubkey    text CHECK (bunker_pubkey ~ '^[0-9a-f]{64}$'),
  bunker_relays    text[],
  added_at         timestamptz NOT NULL DEFAULT now(),
  CHECK ((kind = 'bunker') = (bunker_pubkey IS NOT NULL AND bunker_relays IS NOT NULL))
);

-- Client keys of pairings that were begun. Written before `connect` is sent: a crash after it would otherwise burn the
-- URI's secret together with a client key that nobody has any more.
CREATE TABLE republish.pairings (
  operator_user_id text NOT NULL,
  bunker_pubkey    text NOT NULL CHECK (bunker_pubkey ~ '^[0-9a-f]{64}$'),
  ncryptsec        text NOT NULL,
  begun_at         timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (operator_user_id, bunker_pubkey)
);

CREATE TABLE republish.runs (
  -- Temporal's firstExecutionRunId, which stays across continue-as-new.
  run_id           text PRIMARY KEY,
  workflow_id      text NOT NULL,
  operator_user_id text NOT NULL,
  operator_pubkey  text,
  document_types   text[] NOT NULL,
  reason           text,
  started_at       timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX runs_by_operator ON republish.runs (operator_user_id, started_at DESC);

CREATE TABLE republish.documents (
  run_id            text NOT NULL REFERENCES republish.runs,
  document_type     text NOT NULL,
  machine_id        text NOT NULL,
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
  -- The newest answer of each relay: { url: { state, detail? } }.
  relays            jsonb NOT NULL DEFAULT '{}',
  superseded_by     text,
  outcome           text CHECK (outcome IN ('published', 'unchanged', 'superseded', 'skipped', 'failed')),
  failure_type      text,
  failure_message   text,
  attempts          integer NOT NULL DEFAULT 0,
  sealed_at         timestamptz,
  signed_at         timestamptz,
  settled_at        timestamptz,
  PRIMARY KEY (run_id, document_type, machine_id)
);
CREATE INDEX documents_by_address ON republish.documents (operator_pubkey, document_type, atm_pubkey, created_at_s DESC)
  WHERE event_id IS NOT NULL;

-- A second writer of a seal or a signature is a bug or a zombie worker; the database refuses it whatever the code does.
CREATE FUNCTION republish.keep_seal() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.event_id IS NOT NULL AND (NEW.event_id, NEW.created_at_s, NEW.unsigned_event, NEW.state_fingerprint)
       IS DISTINCT FROM (OLD.event_id, OLD.created_at_s, OLD.unsigned_event, OLD.state_fingerprint) THEN
    RAISE EXCEPTION 'the seal of a document is written once (run %, %, machine %)', OLD.run_id, OLD.document_type, OLD.machine_id;
  END IF;
  IF OLD.signature IS NOT NULL AND NEW.signature IS DISTINCT FROM OLD.signature THEN
    RAISE EXCEPTION 'the signature of a document is written once (run %, %, machine %)', OLD.run_id, OLD.document_type, OLD.machine_id;
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER keep_seal BEFORE UPDATE ON republish.documents FOR EACH ROW EXECUTE FUNCTION republish.keep_seal();

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
  -- What ended the run before its documents: { type, message }.
  failure          jsonb,
  reason           text,
  written_at       timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX audit_by_operator ON republish.audit_log (operator_user_id, id DESC);

CREATE FUNCTION republish.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'republish.audit_log is append-only: % refused', TG_OP USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON republish.audit_log
  FOR EACH ROW EXECUTE FUNCTION republish.refuse_change();
CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON republish.audit_log
  FOR EACH STATEMENT EXECUTE FUNCTION republish.refuse_change();
