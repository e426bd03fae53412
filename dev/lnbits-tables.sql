-- The tables of LNbits and of its extension spirekeeper that this program reads. Names, keys and NOT NULL are
-- those of the real tables. The types of the fee columns are from the extension's plan. The names created_at
-- and updated_at are assumed. The statements work in Postgres, where the extension has a schema, and in
-- SQLite, where it has a file.

CREATE TABLE accounts (
  id            TEXT PRIMARY KEY,
  username      TEXT,
  email         TEXT,
  pubkey        TEXT,
  prvkey        TEXT,
  signer_type   TEXT,
  signer_config TEXT,
  extra         TEXT,
  created_at    TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
  updated_at    TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP
);

CREATE TABLE spirekeeper.super_config (
  id                          TEXT PRIMARY KEY DEFAULT 'default',
  super_cash_in_fee_fraction  DECIMAL(5,4) NOT NULL DEFAULT 0,
  super_cash_out_fee_fraction DECIMAL(5,4) NOT NULL DEFAULT 0,
  super_fee_wallet_id         TEXT,
  max_cash_in_sats            INTEGER,
  updated_at                  TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP
);

CREATE TABLE spirekeeper.dca_machines (
  id                             TEXT PRIMARY KEY,
  operator_user_id               TEXT NOT NULL,
  wallet_id                      TEXT NOT NULL UNIQUE,
  machine_npub                   TEXT UNIQUE,
  name                           TEXT,
  location                       TEXT,
  fiat_code                      TEXT NOT NULL DEFAULT 'EUR',
  is_active                      BOOLEAN NOT NULL DEFAULT true,
  operator_cash_in_fee_fraction  DECIMAL(5,4) NOT NULL DEFAULT 0,
  operator_cash_out_fee_fraction DECIMAL(5,4) NOT NULL DEFAULT 0,
  bunker_spire_key_name          TEXT,
  paired_at                      TIMESTAMP,
  created_at                     TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
  updated_at                     TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP
);

CREATE TABLE spirekeeper.cassette_configs (
  machine_id         TEXT NOT NULL,
  position           INTEGER NOT NULL,
  denomination       INTEGER NOT NULL,
  count              INTEGER NOT NULL,
  state_denomination INTEGER,
  state_count        INTEGER,
  state_at           TIMESTAMP,
  state_event_id     TEXT,
  updated_at         TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
  PRIMARY KEY (machine_id, position)
);
