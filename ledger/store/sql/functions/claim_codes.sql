-- Claim the codes of budgets that are about to be opened: a code names one log of one region.
-- Openings wait for each other here (they are rare); no key reaches across regions (design §7).
CREATE OR REPLACE FUNCTION ledger.claim_codes(p_region int, p_codes text[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM 1 FROM ledger.rulebook FOR NO KEY UPDATE;
    IF EXISTS (
        SELECT 1 FROM ledger.heads WHERE code = ANY (p_codes) AND region <> p_region
    ) THEN
        RAISE EXCEPTION 'a code was opened in another region'
            USING ERRCODE = 'serialization_failure';
    END IF;
END
$$;
