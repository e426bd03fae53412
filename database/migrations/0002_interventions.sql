-- What people asked of a run while it went on: [{ action, at, by?, reason?, documentType?, machineId? }].
ALTER TABLE republish.audit_log ADD COLUMN interventions jsonb NOT NULL DEFAULT '[]';
