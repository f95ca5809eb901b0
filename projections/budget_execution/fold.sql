-- Add a span of events to the sums. Belongs to a version, as its tables do; kept as a function, so
-- that a step that needs nothing else is one call (`projections.take_step`).
CREATE FUNCTION fold(
    p_parked text, p_after bigint, p_upto bigint, p_region int, p_log bigint, p_kinds ledger.kind []
) RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
    INSERT INTO sums AS t (
        region, log, line, effective_from, month, adopted_on, approved, amended, adjusted,
        plan_receipts, plan_commitments, plan_payments, accepted, executed, on_contracts
    )
    SELECT
        e.region, e.log, e.line, e.effective_from,
        coalesce(e.month, '-infinity'::date) AS month, e.adopted_on,
        projections.total(e.approved), projections.total(e.amended), projections.total(e.adjusted),
        projections.total(e.plan_receipts), projections.total(e.plan_commitments),
        projections.total(e.plan_payments), projections.total(e.accepted),
        projections.total(e.executed),
        projections.total(e.executed) FILTER (WHERE e.contract IS NOT NULL)
    FROM projections.moved(p_parked, p_after, p_upto, p_region, p_log) AS m
    INNER JOIN ledger.events AS e
        ON e.region = m.region AND e.log = m.log AND e.year = m.year
        AND e.position >= m.first AND e.position <= m.last
    WHERE e.line IS NOT NULL AND e.kind = ANY (p_kinds)
    GROUP BY 1, 2, 3, 4, 5, 6
    ON CONFLICT (region, log, line, effective_from, month, adopted_on) DO UPDATE SET
        approved = t.approved + excluded.approved,
        amended = t.amended + excluded.amended,
        adjusted = t.adjusted + excluded.adjusted,
        plan_receipts = t.plan_receipts + excluded.plan_receipts,
        plan_commitments = t.plan_commitments + excluded.plan_commitments,
        plan_payments = t.plan_payments + excluded.plan_payments,
        accepted = t.accepted + excluded.accepted,
        executed = t.executed + excluded.executed,
        on_contracts = t.on_contracts + excluded.on_contracts;
END
$$;
