-- Give the next sequences to everything that is committed: one step, whole transactions.
-- Returns the last sequence of the ledger. What a head says is committed, so no gap can appear;
-- an event whose peer is not visible yet holds its log back just below it (design §4).
CREATE OR REPLACE FUNCTION ledger.sequence_step(p_now bigint) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    base bigint;
    given bigint;
    v_regions int[];
    v_logs bigint[];
    v_years smallint[];
    v_since bigint[];
    v_upto bigint[];
    lone record;
BEGIN
    SELECT coalesce(max(sequence), 0) INTO base FROM ledger.sequences;

    SELECT array_agg(h.region), array_agg(h.log), array_agg(h.year),
        array_agg(coalesce(s.position, 0)), array_agg(h.position)
    INTO v_regions, v_logs, v_years, v_since, v_upto
    FROM ledger.heads AS h
    LEFT JOIN ledger.sequenced AS s ON s.region = h.region AND s.log = h.log
    WHERE h.position > coalesce(s.position, 0);
    IF v_regions IS NULL THEN
        RETURN base;
    END IF;

    LOOP
        SELECT c.place, min(e.position) AS position INTO lone
        FROM unnest(v_regions, v_logs, v_years, v_since, v_upto) WITH ORDINALITY
            AS c (region, log, year, since, upto, place)
        INNER JOIN ledger.events AS e
            ON e.region = c.region AND e.log = c.log AND e.year = c.year
            AND e.position > c.since AND e.position <= c.upto AND e.peer_log IS NOT NULL
        WHERE NOT EXISTS (
            SELECT 1 FROM ledger.sequenced AS s
            WHERE s.region = e.peer_region AND s.log = e.peer_log
                AND s.position >= e.peer_position
        ) AND NOT EXISTS (
            SELECT 1 FROM unnest(v_regions, v_logs, v_upto) AS p (region, log, upto)
            WHERE p.region = e.peer_region AND p.log = e.peer_log AND p.upto >= e.peer_position
        )
        GROUP BY c.place
        LIMIT 1;
        EXIT WHEN NOT FOUND;
        v_upto[lone.place] := lone.position - 1;
    END LOOP;

    INSERT INTO ledger.sequences (sequence, region, log, position)
    SELECT base + row_number() OVER (ORDER BY e.recorded_at, e.region, e.log, e.position),
        e.region, e.log, e.position
    FROM unnest(v_regions, v_logs, v_years, v_since, v_upto) AS c (region, log, year, since, upto)
    INNER JOIN ledger.events AS e
        ON e.region = c.region AND e.log = c.log AND e.year = c.year
        AND e.position > c.since AND e.position <= c.upto;
    GET DIAGNOSTICS given = ROW_COUNT;
    IF given = 0 THEN
        RETURN base;
    END IF;

    INSERT INTO ledger.sequenced AS s (region, log, position)
    SELECT c.region, c.log, c.upto
    FROM unnest(v_regions, v_logs, v_since, v_upto) AS c (region, log, since, upto)
    WHERE c.upto > c.since
    ON CONFLICT (region, log) DO UPDATE SET position = excluded.position;

    INSERT INTO ledger.steps (last_sequence, published_at)
    SELECT base + given, greatest(p_now, (
        SELECT published_at FROM ledger.steps ORDER BY last_sequence DESC LIMIT 1
    ));
    PERFORM pg_notify('qazyna_sequence', (base + given)::text);
    RETURN base + given;
END
$$;
