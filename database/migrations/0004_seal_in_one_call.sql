-- Seals a document: first writer wins. In one call, since it is made for each document. Statements of a function see what others
-- have committed meanwhile, so that what is read behind the lock is as new as the lock.
CREATE FUNCTION republish.seal_document(
  address text, the_run text, the_type text, the_machine text, event jsonb, fingerprint text, event_signature text
) RETURNS SETOF republish.documents LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  -- One at a time for each address: two runs could otherwise both find nothing later and take the same second.
  PERFORM pg_advisory_xact_lock(hashtextextended(address, 30078));
  UPDATE republish.documents AS document
     SET event_id = event ->> 'id', created_at_s = (event ->> 'created_at')::bigint, unsigned_event = event,
         state_fingerprint = fingerprint, sealed_at = now(), signature = event_signature,
         reused = event_signature IS NOT NULL, signed_at = CASE WHEN event_signature IS NULL THEN NULL ELSE now() END
   WHERE document.run_id = the_run AND document.document_type = the_type AND document.machine_id = the_machine
     AND document.event_id IS NULL
     AND NOT EXISTS (SELECT 1 FROM republish.documents AS other
                      WHERE other.operator_pubkey = document.operator_pubkey
                        AND other.document_type = document.document_type AND other.atm_pubkey = document.atm_pubkey
                        AND other.run_id <> document.run_id AND other.event_id IS NOT NULL
                        AND other.event_id <> event ->> 'id' AND other.created_at_s >= (event ->> 'created_at')::bigint);
  RETURN QUERY SELECT * FROM republish.documents AS document
    WHERE document.run_id = the_run AND document.document_type = the_type AND document.machine_id = the_machine
      AND document.event_id IS NOT NULL;
END $$;
