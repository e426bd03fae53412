-- The tables that the default queries read, as a reference: LNbits' own `accounts`, the operator's machines, and one
-- state table per document type. A real installation differs; point "queries" in republish.config.json at its tables.
-- republish-operator-configs only ever reads these.

CREATE TABLE accounts (
  id     text PRIMARY KEY,
  pubkey text
);

CREATE TABLE dca_machines (
  id               text PRIMARY KEY,
  operator_user_id text NOT NULL REFERENCES accounts (id),
  name             text NOT NULL,
  atm_pubkey       text NOT NULL,
  created_at       timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX dca_machines_by_operator ON dca_machines (operator_user_id, id);

-- Document type bitspire-cassettes: what each cassette of a machine holds.
CREATE TABLE bitspire_cassettes (
  machine_id   text NOT NULL REFERENCES dca_machines (id),
  position     integer NOT NULL,
  denomination integer NOT NULL,
  count        integer NOT NULL,
  currency     text NOT NULL,
  PRIMARY KEY (machine_id, position)
);

-- Document type bitspire-fees: what a machine charges and between which amounts it trades.
CREATE TABLE bitspire_fees (
  machine_id       text PRIMARY KEY REFERENCES dca_machines (id),
  cash_in_percent  numeric(6, 3) NOT NULL,
  cash_out_percent numeric(6, 3) NOT NULL,
  fixed_fee        numeric(12, 2) NOT NULL,
  minimum_amount   numeric(12, 2) NOT NULL,
  maximum_amount   numeric(12, 2) NOT NULL,
  currency         text NOT NULL
);
