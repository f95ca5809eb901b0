-- Figures of a budget's lines straight from its events, as known at a sequence: positions up to
-- the last one that has a sequence by then.
SELECT
    l.path, g.approved, g.amended, g.adjusted, g.plan_receipts, g.plan_receipts_year,
    g.plan_commitments, g.plan_commitments_year, g.plan_payments, g.plan_payments_year,
    g.accepted, g.executed, g.on_contracts
FROM (
    SELECT
        e.line, sum(e.approved) AS approved, sum(e.amended) AS amended,
        sum(e.adjusted) AS adjusted,
        sum(e.plan_receipts) FILTER (WHERE e.month IS NULL OR e.month <= $3) AS plan_receipts,
        sum(e.plan_receipts) AS plan_receipts_year,
        sum(e.plan_commitments) FILTER (WHERE e.month IS NULL OR e.month <= $3) AS plan_commitments,
        sum(e.plan_commitments) AS plan_commitments_year,
        sum(e.plan_payments) FILTER (WHERE e.month IS NULL OR e.month <= $3) AS plan_payments,
        sum(e.plan_payments) AS plan_payments_year,
        sum(e.accepted) AS accepted, sum(e.executed) AS executed,
        sum(e.executed) FILTER (WHERE e.contract IS NOT NULL) AS on_contracts
    FROM ledger.events AS e
    WHERE e.region = $1 AND e.log = $2 AND e.year = $5 AND e.position <= $6
        AND e.line IS NOT NULL AND e.kind = ANY ((SELECT $7::text []::ledger.kind [])::ledger.kind [])
        AND e.effective_from <= $3
        AND ($4::date IS NULL OR e.adopted_on <= $4)
    GROUP BY e.line
) AS g
INNER JOIN ledger.lines AS l ON l.region = $1 AND l.log = $2 AND l.line = g.line
