-- The order in which a run works on its documents: pages of the plan are read in it, whatever the locale of the server.
CREATE INDEX documents_in_order ON republish.documents (run_id, machine_id COLLATE "C", document_type COLLATE "C");
