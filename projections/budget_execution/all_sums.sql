-- Sum all sequenced events up into the empty table in one reading. What is not sequenced yet is
-- looked up first: little, mostly nothing. (Joined with `sequenced` instead, the planner expects few
-- rows, and sorts all of them.)
WITH pending AS MATERIALIZED (
    SELECT h.region, h.log, v.position
    FROM ledger.heads AS h
    LEFT JOIN ledger.sequenced AS d ON d.region = h.region AND d.log = h.log
    CROSS JOIN LATERAL (
        SELECT o.position FROM ledger.events AS o
        WHERE o.region = h.region AND o.log = h.log AND o.year = h.year
            AND o.position > coalesce(d.position, 0)
        OFFSET 0
    ) AS v
    WHERE h.position > coalesce(d.position, 0)
)
INSERT INTO sums (
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
FROM ledger.events AS e
WHERE e.kind = ANY ((SELECT $1::text []::ledger.kind [])::ledger.kind []) AND e.line IS NOT NULL
    AND (e.region, e.log, e.position) NOT IN (
        SELECT p.region, p.log, p.position FROM pending AS p
    )
GROUP BY 1, 2, 3, 4, 5, 6
