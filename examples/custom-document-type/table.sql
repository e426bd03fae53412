-- Where examples/custom-document-type/worker.ts reads: a row for each machine and day.
CREATE TABLE operator_hours (
  machine_id text NOT NULL,
  timezone   text NOT NULL,
  day        integer NOT NULL,
  opens      text NOT NULL,
  closes     text NOT NULL,
  PRIMARY KEY (machine_id, day)
);
