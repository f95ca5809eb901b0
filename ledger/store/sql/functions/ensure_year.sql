-- Make the partition of a fiscal year (0 = the rulebook) with its guards, once.
CREATE OR REPLACE FUNCTION ledger.ensure_year(p_year int) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    name text := format('events_%s', p_year);
BEGIN
    IF to_regclass('ledger.' || name) IS NOT NULL THEN
        RETURN;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('ledger.ensure_year'));
    IF to_regclass('ledger.' || name) IS NOT NULL THEN
        RETURN;
    END IF;
    -- Attaching, unlike CREATE ... PARTITION OF, waits for no append that is under way.
    EXECUTE format('CREATE TABLE ledger.%I (LIKE ledger.events INCLUDING ALL)', name);
    EXECUTE format(
        'ALTER TABLE ledger.events ATTACH PARTITION ledger.%I FOR VALUES IN (%s)', name, p_year
    );
    PERFORM ledger.guard_table(name);
END
$$;
