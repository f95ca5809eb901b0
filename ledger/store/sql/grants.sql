-- Grants inside the ledger's schema, given by its owner. No role of the service can change events.
REVOKE ALL ON SCHEMA ledger FROM PUBLIC;
REVOKE ALL ON ALL TABLES IN SCHEMA ledger FROM PUBLIC;
REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA ledger FROM PUBLIC;

GRANT USAGE ON SCHEMA ledger TO qazyna_writer, qazyna_projector, qazyna_reader;
GRANT SELECT ON ALL TABLES IN SCHEMA ledger TO qazyna_writer, qazyna_projector, qazyna_reader;
GRANT EXECUTE ON FUNCTION
    ledger.append, ledger.claim_codes, ledger.ensure_year, ledger.lock_heads TO qazyna_writer;
GRANT EXECUTE ON FUNCTION
    ledger.keep_annex, ledger.compare_annex, ledger.erase_annex TO qazyna_writer;
GRANT EXECUTE ON FUNCTION ledger.sequence_step TO qazyna_projector;
GRANT EXECUTE ON FUNCTION
    ledger.places, ledger.log_places, ledger.position_at TO qazyna_projector, qazyna_reader;
GRANT EXECUTE ON FUNCTION ledger.grow_tree, ledger.publish_checkpoint TO qazyna_projector;
ALTER DEFAULT PRIVILEGES IN SCHEMA ledger
GRANT SELECT ON TABLES TO qazyna_writer, qazyna_projector, qazyna_reader;
-- Personal values are read by their own role only; the writer keeps, compares and destroys them.
GRANT USAGE ON SCHEMA ledger TO qazyna_annex;
REVOKE ALL ON ledger.annex FROM qazyna_writer, qazyna_projector, qazyna_reader;
GRANT SELECT ON ledger.annex, ledger.heads, ledger.events TO qazyna_annex;
