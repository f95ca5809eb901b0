-- Give the next sequences to what is committed: one step, whole commands. That is everything, or of
-- a backlog of more than 65 536 events the oldest: who reads steps then finds none that is endless.
-- Looks at all heads, or at those of the logs named: what else is committed waits for a later look.
-- Returns the last sequence of the ledger. What a head says is committed, so no gap can appear;
-- an event whose peer is not visible yet holds its log back just below it (design §4).
CREATE OR REPLACE FUNCTION ledger.sequence_step(
    p_now bigint, moved_regions int[] DEFAULT NULL, moved_logs bigint[] DEFAULT NULL
) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    base bigint;
    fresh bigint;
    v_regions int[];
    v_logs bigint[];
    v_years smallint[];
    v_numbers int[];
    v_since bigint[];
    v_upto bigint[];
    v_all bigint[];
    v_capped bigint[];
    v_earlier bigint;
    new_numbers int[];
    new_positions bigint[];
    p_numbers int[];
    p_positions bigint[];
    p_regions int[];
    p_logs bigint[];
    p_peers bigint[];
BEGIN
    -- Two at once would give one sequence twice: the second waits and goes on after the first.
    PERFORM pg_advisory_xact_lock(1903254131, 1);
    SELECT coalesce(max(last_sequence), 0) INTO base FROM ledger.steps;

    LOOP
        IF moved_logs IS NULL THEN
            SELECT array_agg(h.region), array_agg(h.log), array_agg(h.year), array_agg(s.number),
                array_agg(s.position), array_agg(h.position), min(s.step),
                count(*) FILTER (WHERE s.log IS NULL)
            INTO v_regions, v_logs, v_years, v_numbers, v_since, v_upto, v_earlier, fresh
            FROM ledger.heads AS h
            LEFT JOIN ledger.sequenced AS s ON s.region = h.region AND s.log = h.log
            WHERE h.position > coalesce(s.position, 0);
        ELSE
            SELECT array_agg(h.region), array_agg(h.log), array_agg(h.year), array_agg(s.number),
                array_agg(s.position), array_agg(h.position), min(s.step),
                count(*) FILTER (WHERE s.log IS NULL)
            INTO v_regions, v_logs, v_years, v_numbers, v_since, v_upto, v_earlier, fresh
            FROM (
                SELECT DISTINCT n.region, n.log
                FROM unnest(moved_regions, moved_logs) AS n (region, log)
            ) AS m
            INNER JOIN ledger.heads AS h ON h.region = m.region AND h.log = m.log
            LEFT JOIN ledger.sequenced AS s ON s.region = h.region AND s.log = h.log
            WHERE h.position > coalesce(s.position, 0);
        END IF;
        IF v_regions IS NULL THEN
            RETURN base;
        END IF;
        EXIT WHEN fresh = 0;
        INSERT INTO ledger.sequenced (region, log, number, position, step)
        SELECT c.region, c.log, row_number() OVER (ORDER BY c.region, c.log)
            + (SELECT coalesce(max(s.number), 0) FROM ledger.sequenced AS s), 0, -1
        FROM unnest(v_regions, v_logs, v_numbers) AS c (region, log, number)
        WHERE c.number IS NULL;
    END LOOP;

    -- All events of a command have one time, so what has the same time in a log goes along; the
    -- halves of a transfer find each other below. (What cannot be parted so is taken whole.)
    v_all := v_upto;
    IF (SELECT sum(c.upto - c.since) FROM unnest(v_since, v_upto) AS c (since, upto)) > 65536 THEN
        SELECT array_agg(coalesce(o.position, c.since) ORDER BY c.place) INTO v_upto
        FROM unnest(v_numbers, v_since) WITH ORDINALITY AS c (number, since, place)
        LEFT JOIN (
            SELECT e.number, max(e.position) AS position
            FROM (
                SELECT b.number, v.position
                FROM unnest(v_regions, v_logs, v_years, v_numbers, v_since, v_upto)
                    AS b (region, log, year, number, since, upto)
                INNER JOIN ledger.events AS v
                    ON v.region = b.region AND v.log = b.log AND v.year = b.year
                    AND v.position > b.since AND v.position <= b.upto
                ORDER BY v.recorded_at, b.number
                FETCH FIRST 65536 ROWS WITH TIES
            ) AS e
            GROUP BY e.number
        ) AS o ON o.number = c.number;
    END IF;

    LOOP
        SELECT
            array_agg(e.number ORDER BY e.recorded_at, e.region, e.log, e.position),
            array_agg(e.position ORDER BY e.recorded_at, e.region, e.log, e.position),
            array_agg(e.number) FILTER (WHERE e.peer_log IS NOT NULL),
            array_agg(e.position) FILTER (WHERE e.peer_log IS NOT NULL),
            array_agg(e.peer_region) FILTER (WHERE e.peer_log IS NOT NULL),
            array_agg(e.peer_log) FILTER (WHERE e.peer_log IS NOT NULL),
            array_agg(e.peer_position) FILTER (WHERE e.peer_log IS NOT NULL)
        INTO new_numbers, new_positions, p_numbers, p_positions, p_regions, p_logs, p_peers
        FROM (
            SELECT c.number, v.region, v.log, v.position, v.recorded_at, v.peer_region,
                v.peer_log, v.peer_position
            FROM unnest(v_regions, v_logs, v_years, v_numbers, v_since, v_upto)
                AS c (region, log, year, number, since, upto)
            INNER JOIN ledger.events AS v
                ON v.region = c.region AND v.log = c.log AND v.year = c.year
                AND v.position > c.since AND v.position <= c.upto
        ) AS e;
        IF new_numbers IS NULL AND v_all IS NULL THEN
            RETURN base;
        ELSIF new_numbers IS NULL THEN
            v_upto := v_all;
            v_all := NULL;
            CONTINUE;
        END IF;
        EXIT WHEN p_numbers IS NULL;

        SELECT array_agg(coalesce(l.position - 1, c.upto) ORDER BY c.place) INTO v_capped
        FROM unnest(v_numbers, v_upto) WITH ORDINALITY AS c (number, upto, place)
        LEFT JOIN (
            SELECT p.number, min(p.position) AS position
            FROM unnest(p_numbers, p_positions, p_regions, p_logs, p_peers)
                AS p (number, position, region, log, peer)
            WHERE NOT EXISTS (
                SELECT 1 FROM ledger.sequenced AS s
                WHERE s.region = p.region AND s.log = p.log AND s.position >= p.peer
            ) AND NOT EXISTS (
                SELECT 1 FROM unnest(v_regions, v_logs, v_upto) AS o (region, log, upto)
                WHERE o.region = p.region AND o.log = p.log AND o.upto >= p.peer
            )
            GROUP BY p.number
        ) AS l ON l.number = c.number;
        EXIT WHEN v_capped = v_upto;
        v_upto := v_capped;
    END LOOP;

    INSERT INTO ledger.steps (last_sequence, first_sequence, published_at, logs, positions)
    SELECT base + cardinality(new_numbers), base + 1, greatest(p_now, (
        SELECT published_at FROM ledger.steps ORDER BY last_sequence DESC LIMIT 1
    )), new_numbers, new_positions;
    base := base + cardinality(new_numbers);

    IF v_earlier < base & ~131071::bigint THEN
        INSERT INTO ledger.landmarks (region, log, position, sequence, step)
        SELECT s.region, s.log, s.position + 1,
            base - cardinality(new_numbers) + array_position(new_numbers, s.number), base
        FROM unnest(v_numbers, v_since, v_upto) AS c (number, since, upto)
        INNER JOIN ledger.sequenced AS s ON s.number = c.number
        WHERE c.upto > c.since AND s.step < base & ~131071::bigint;
    END IF;

    UPDATE ledger.sequenced AS s SET position = c.upto, step = base
    FROM unnest(v_regions, v_logs, v_since, v_upto) AS c (region, log, since, upto)
    WHERE s.region = c.region AND s.log = c.log AND c.upto > c.since;
    PERFORM pg_notify('qazyna_sequence', base::text);
    RETURN base;
END
$$;
