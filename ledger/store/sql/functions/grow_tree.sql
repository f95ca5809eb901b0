-- Keep full tiles and, where a size is given, the head that is about to be signed.
-- A tile or size that is there already with other hashes raises: two trees cannot both be ours.
CREATE OR REPLACE FUNCTION ledger.grow_tree(
    p_levels smallint[], p_indexes bigint[], p_roots bytea[], p_hashes bytea[],
    p_size bigint, p_root bytea, p_at bigint
) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    INSERT INTO ledger.tiles (level, index, root, hashes)
    SELECT * FROM unnest(p_levels, p_indexes, p_roots, p_hashes);
    IF p_size IS NULL THEN
        RETURN;
    END IF;
    INSERT INTO ledger.tree_heads (size, root, made_at) VALUES (p_size, p_root, p_at)
    ON CONFLICT (size) DO NOTHING;
    IF (SELECT root <> p_root FROM ledger.tree_heads WHERE size = p_size)
        OR (SELECT max(size) > p_size FROM ledger.tree_heads) THEN
        RAISE EXCEPTION 'the tree of % leaves does not follow the heads that are kept', p_size
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
END
$$;
