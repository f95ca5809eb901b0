-- Append one batch to logs of one region: compare-and-set of heads and rulebook, events, lines
-- and cells, all or nothing. Raises 40001 where a head or the rulebook has moved, 23505 where a
-- command id is stored already. Arrays run in parallel, an empty one stands for nothing but NULLs;
-- hashes, ids and times come from outside. Cells come as those that are stored already (c_) and
-- those that may be new (n_): an UPDATE costs half of an INSERT that finds its row there. Older
-- days of cells come in parts (p_); where days among them have changed, stored parts from a day on
-- go (g_).
CREATE OR REPLACE FUNCTION ledger.append(
    p_region int,
    p_rules_at bigint,
    p_rulebook bigint,
    h_log bigint[], h_code text[], h_year smallint[],
    h_from bigint[], h_previous bytea[], h_to bigint[], h_hash bytea[], h_recorded_at bigint[],
    e_log bigint[], e_position bigint[], e_year smallint[], e_command_id uuid[], e_n smallint[],
    e_kind ledger.kind[], e_recorded_at bigint[], e_effective_from date[], e_adopted_on date[],
    e_month date[], e_line int[], e_contract text[], e_payment uuid[], e_account text[],
    e_peer_region int[], e_peer_log bigint[], e_peer_position bigint[],
    e_approved bigint[], e_amended bigint[], e_adjusted bigint[], e_plan_receipts bigint[],
    e_plan_commitments bigint[], e_plan_payments bigint[], e_accepted bigint[],
    e_executed bigint[], e_cash bigint[], e_hash bytea[], e_body bytea[],
    l_log bigint[], l_line int[], l_path text[],
    c_log bigint[], c_kind text[], c_key text[], c_number int[],
    c_adjusted bigint[], c_plan_receipts bigint[], c_plan_commitments bigint[],
    c_plan_payments bigint[], c_accepted bigint[], c_executed bigint[], c_cash bigint[],
    c_guards int[], c_tolerance bigint[], c_content bytea[],
    n_log bigint[], n_kind text[], n_key text[], n_number int[],
    n_adjusted bigint[], n_plan_receipts bigint[], n_plan_commitments bigint[],
    n_plan_payments bigint[], n_accepted bigint[], n_executed bigint[], n_cash bigint[],
    n_guards int[], n_tolerance bigint[], n_content bytea[],
    g_log bigint[], g_kind text[], g_key text[], g_measure text[], g_since int[],
    p_log bigint[], p_kind text[], p_key text[], p_measure text[], p_last_day int[],
    p_content bytea[]
) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    moved bigint;
BEGIN
    PERFORM 1 FROM ledger.heads
    WHERE region = p_region AND log = ANY (h_log)
    ORDER BY region, log FOR NO KEY UPDATE;

    IF 0 = ANY (h_from) THEN
        INSERT INTO ledger.heads (region, log, code, year, position, hash, recorded_at)
        SELECT p_region, t.log, t.code, t.year, 0, ''::bytea, 0
        FROM unnest(h_log, h_code, h_year, h_from) AS t (log, code, year, start)
        WHERE t.start = 0
        ON CONFLICT DO NOTHING;
    END IF;

    UPDATE ledger.heads AS h
    SET position = t.upto, hash = t.hash, recorded_at = t.recorded_at
    FROM unnest(h_log, h_from, h_previous, h_to, h_hash, h_recorded_at)
        AS t (log, start, previous, upto, hash, recorded_at)
    WHERE h.region = p_region AND h.log = t.log
        AND h.position = t.start AND h.hash = t.previous;
    GET DIAGNOSTICS moved = ROW_COUNT;
    IF moved <> cardinality(h_log) THEN
        RAISE EXCEPTION 'a head has moved' USING ERRCODE = 'serialization_failure';
    END IF;

    IF p_rulebook IS NOT NULL THEN
        UPDATE ledger.rulebook SET position = p_rulebook WHERE position = p_rules_at;
    ELSE
        PERFORM 1 FROM ledger.rulebook WHERE position = p_rules_at;
    END IF;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the rulebook has moved' USING ERRCODE = 'serialization_failure';
    END IF;

    INSERT INTO ledger.events (
        region, log, position, year, command_id, n, kind, recorded_at, effective_from,
        adopted_on, month, line, contract, payment, account, peer_region, peer_log,
        peer_position, approved, amended, adjusted, plan_receipts, plan_commitments,
        plan_payments, accepted, executed, cash, hash, body
    )
    SELECT p_region, t.*
    FROM unnest(
        e_log, e_position, e_year, e_command_id, e_n, e_kind, e_recorded_at, e_effective_from,
        e_adopted_on, e_month, e_line, e_contract, e_payment, e_account, e_peer_region,
        e_peer_log, e_peer_position, e_approved, e_amended, e_adjusted, e_plan_receipts,
        e_plan_commitments, e_plan_payments, e_accepted, e_executed, e_cash, e_hash, e_body
    ) AS t;

    IF cardinality(l_log) > 0 THEN
        INSERT INTO ledger.lines (region, log, line, path)
        SELECT p_region, t.log, t.line, ARRAY(SELECT jsonb_array_elements_text(t.path::jsonb))
        FROM unnest(l_log, l_line, l_path) AS t (log, line, path);
    END IF;

    UPDATE ledger.cells AS c
    SET number = t.number, adjusted = t.adjusted, plan_receipts = t.plan_receipts,
        plan_commitments = t.plan_commitments, plan_payments = t.plan_payments,
        accepted = t.accepted, executed = t.executed, cash = t.cash, guards = t.guards,
        tolerance = t.tolerance, content = t.content
    FROM unnest(
        c_log, c_kind, c_key, c_number, c_adjusted, c_plan_receipts, c_plan_commitments,
        c_plan_payments, c_accepted, c_executed, c_cash, c_guards, c_tolerance, c_content
    ) AS t (
        log, kind, key, number, adjusted, plan_receipts, plan_commitments, plan_payments,
        accepted, executed, cash, guards, tolerance, content
    )
    WHERE c.region = p_region AND c.log = t.log AND c.kind = t.kind AND c.key = t.key;
    GET DIAGNOSTICS moved = ROW_COUNT;
    IF moved <> cardinality(c_log) THEN
        RAISE EXCEPTION 'a cell has gone' USING ERRCODE = 'serialization_failure';
    END IF;

    IF cardinality(n_log) > 0 THEN
        INSERT INTO ledger.cells AS c (
            region, log, kind, key, number, adjusted, plan_receipts, plan_commitments,
            plan_payments, accepted, executed, cash, guards, tolerance, content
        )
        SELECT p_region, t.*
        FROM unnest(
            n_log, n_kind, n_key, n_number, n_adjusted, n_plan_receipts, n_plan_commitments,
            n_plan_payments, n_accepted, n_executed, n_cash, n_guards, n_tolerance, n_content
        ) AS t
        ON CONFLICT (region, log, kind, key) DO UPDATE SET
            number = excluded.number, adjusted = excluded.adjusted,
            plan_receipts = excluded.plan_receipts, plan_commitments = excluded.plan_commitments,
            plan_payments = excluded.plan_payments, accepted = excluded.accepted,
            executed = excluded.executed, cash = excluded.cash, guards = excluded.guards,
            tolerance = excluded.tolerance, content = excluded.content;
    END IF;

    IF cardinality(g_log) > 0 THEN
        DELETE FROM ledger.past_days AS p
        USING unnest(g_log, g_kind, g_key, g_measure, g_since)
            AS t (log, kind, key, measure, since)
        WHERE p.region = p_region AND p.log = t.log AND p.kind = t.kind AND p.key = t.key
            AND p.measure = t.measure AND p.last_day >= t.since;
    END IF;
    IF cardinality(p_log) > 0 THEN
        INSERT INTO ledger.past_days (region, log, kind, key, measure, last_day, content)
        SELECT p_region, t.*
        FROM unnest(p_log, p_kind, p_key, p_measure, p_last_day, p_content) AS t;
    END IF;
END
$$;
