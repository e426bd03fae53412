-- A short name for a document of a run: the history of a run holds it once for each of its documents. Identity columns need no right
-- on a sequence.
ALTER TABLE republish.documents ADD COLUMN number bigint GENERATED ALWAYS AS IDENTITY;
CREATE UNIQUE INDEX documents_by_number ON republish.documents (number);
