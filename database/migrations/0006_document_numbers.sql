-- A short name for a document of a run: the history of a run holds it once for each of its documents. Identity columns need no right
-- on a sequence. The table is written anew for it (some 15 seconds for a million documents); workers of before wait meanwhile.
ALTER TABLE republish.documents ADD COLUMN number bigint GENERATED ALWAYS AS IDENTITY;
CREATE UNIQUE INDEX documents_by_number ON republish.documents (number);
