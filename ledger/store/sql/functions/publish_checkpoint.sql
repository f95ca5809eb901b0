-- Publish the signed note of a head that is kept. A size may be published again with the same note
-- and more signature lines, which makes its next edition; anything else raises.
CREATE OR REPLACE FUNCTION ledger.publish_checkpoint(
    p_size bigint, p_note bytea, p_witnessed boolean, p_at bigint
) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    last ledger.checkpoints;
BEGIN
    SELECT * INTO last FROM ledger.checkpoints WHERE size = p_size ORDER BY edition DESC LIMIT 1;
    IF length(p_note) <= length(last.note)
        OR substring(p_note FOR length(last.note)) <> last.note
        OR last.witnessed AND NOT p_witnessed THEN
        RAISE EXCEPTION 'the checkpoint of size % only gains signatures', p_size
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    INSERT INTO ledger.checkpoints (size, note, witnessed, published_at, edition)
    VALUES (p_size, p_note, p_witnessed, p_at, coalesce(last.edition, 0) + 1);
END
$$;
