-- Put the triggers on a table that refuse UPDATE, DELETE and TRUNCATE for everybody, also under
-- session_replication_role = replica.
CREATE OR REPLACE FUNCTION ledger.guard_table(p_name text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- A partition inherits the row trigger of its parent.
    IF NOT EXISTS (
        SELECT 1 FROM pg_trigger
        WHERE tgrelid = to_regclass('ledger.' || p_name) AND tgname = 'keep_rows'
    ) THEN
        EXECUTE format(
            'CREATE TRIGGER keep_rows BEFORE UPDATE OR DELETE ON ledger.%I '
            'FOR EACH ROW EXECUTE FUNCTION ledger.refuse_change()', p_name
        );
    END IF;
    EXECUTE format(
        'CREATE OR REPLACE TRIGGER keep_table BEFORE TRUNCATE ON ledger.%I '
        'FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change()', p_name
    );
    EXECUTE format('ALTER TABLE ledger.%I ENABLE ALWAYS TRIGGER keep_rows', p_name);
    EXECUTE format('ALTER TABLE ledger.%I ENABLE ALWAYS TRIGGER keep_table', p_name);
END
$$;
