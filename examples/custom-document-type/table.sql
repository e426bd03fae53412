-- Where examples/custom-document-type/operator-hours.mjs reads: a row for each machine and day, in the extension's schema.
CREATE TABLE spirekeeper.operator_hours (
  machine_id text NOT NULL,
  timezone   text NOT NULL,
  day        integer NOT NULL,
  opens      text NOT NULL,
  closes     text NOT NULL,
  PRIMARY KEY (machine_id, day)
);
