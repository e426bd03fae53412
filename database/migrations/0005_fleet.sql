-- Fleets: which operators a fleet has, how each of them ended, and one audit row when all have.

CREATE TABLE republish.fleets (
  -- Temporal's firstExecutionRunId, which stays across continue-as-new.
  run_id      text PRIMARY KEY,
  workflow_id text NOT NULL,
  reason      text,
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
  interventions jsonb NOT NULL DEFAULT '[]',
  started_at    timestamptz NOT NULL,
  written_at    timestamptz NOT NULL DEFAULT now()
);

-- The message named one table; now there are two that are append-only.
CREATE OR REPLACE FUNCTION republish.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '%.% is append-only: % refused', TG_TABLE_SCHEMA, TG_TABLE_NAME, TG_OP
    USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON republish.fleet_audit_log
  FOR EACH ROW EXECUTE FUNCTION republish.refuse_change();
CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON republish.fleet_audit_log
  FOR EACH STATEMENT EXECUTE FUNCTION republish.refuse_change();
