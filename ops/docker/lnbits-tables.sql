-- For compose.yaml, in place of a real LNbits: its tables, and the one row that the extension always has.
CREATE SCHEMA spirekeeper;
\i /lnbits/tables.sql
INSERT INTO spirekeeper.super_config (super_cash_in_fee_fraction, super_cash_out_fee_fraction) VALUES (0.03, 0.03);
