-- An installation whose tables look nothing like those of the extension. republish.config.json next to this file says how to
-- read them.
CREATE SCHEMA satmachine;

CREATE TABLE satmachine.users (
  user_id   text PRIMARY KEY,
  nostr_key text
);

CREATE TABLE satmachine.atms (
  id    bigint PRIMARY KEY,
  owner text NOT NULL REFERENCES satmachine.users (user_id),
  label text NOT NULL,
  -- NULL: not paired yet.
  key   text
);

-- The document as the machines read it, whole.
CREATE TABLE satmachine.fee_documents (
  atm bigint PRIMARY KEY REFERENCES satmachine.atms (id),
  doc jsonb NOT NULL
);

-- A row for each slot; the machines call them position and count.
CREATE TABLE satmachine.cash_slots (
  atm          bigint NOT NULL REFERENCES satmachine.atms (id),
  slot         integer NOT NULL,
  denomination integer NOT NULL,
  notes        integer NOT NULL,
  PRIMARY KEY (atm, slot)
);
