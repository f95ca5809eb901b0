-- Fold all sequenced events into the empty table in one reading: sum those of the kinds $1 up, and
-- return the documents of the kinds $2, and whatever has a kind that is not among the known ones
-- $3. What is not sequenced yet is looked up first: little, mostly nothing. (Joined with
-- `sequenced` instead, the planner expects few rows, and sorts all of them.)
WITH grouped AS MATERIALIZED (
    SELECT
        e.region, e.log, e.line, e.effective_from,
        coalesce(e.month, '-infinity'::date) AS month, e.adopted_on,
        CASE WHEN e.kind = ANY ($1::text []) THEN NULL ELSE e.position END AS document,
        projections.total(e.approved) AS approved, projections.total(e.amended) AS amended,
        projections.total(e.adjusted) AS adjusted,
        projections.total(e.plan_receipts) AS plan_receipts,
        projections.total(e.plan_commitments) AS plan_commitments,
        projections.total(e.plan_payments) AS plan_payments,
        projections.total(e.accepted) AS accepted, projections.total(e.executed) AS executed,
        projections.total(e.executed) FILTER (WHERE e.contract IS NOT NULL) AS on_contracts
    FROM ledger.events AS e
    WHERE (
        e.kind = ANY ($1::text []) AND e.line IS NOT NULL
        OR e.kind = ANY ($2::text [])
        OR e.kind <> ALL ($3::text [])
    ) AND (e.region, e.log, e.position) NOT IN (
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
    GROUP BY 1, 2, 3, 4, 5, 6, 7
), filled AS (
    INSERT INTO sums (
        region, log, line, effective_from, month, adopted_on, approved, amended, adjusted,
        plan_receipts, plan_commitments, plan_payments, accepted, executed, on_contracts
    )
    SELECT
        g.region, g.log, g.line, g.effective_from, g.month, g.adopted_on, g.approved, g.amended,
        g.adjusted, g.plan_receipts, g.plan_commitments, g.plan_payments, g.accepted, g.executed,
        g.on_contracts
    FROM grouped AS g
    WHERE g.document IS NULL
), told AS MATERIALIZED (
    SELECT d.number, h.year, g.region, g.log, g.document, g.adopted_on
    FROM grouped AS g
    INNER JOIN ledger.sequenced AS d ON d.region = g.region AND d.log = g.log
    INNER JOIN ledger.heads AS h ON h.region = g.region AND h.log = g.log
    WHERE g.document IS NOT NULL
)
SELECT s.sequence, t.region, t.log, t.adopted_on, e.kind, e.body
FROM told AS t
INNER JOIN (
    SELECT
        generate_series(p.first_sequence, p.last_sequence) AS sequence, unnest(p.logs) AS number,
        unnest(p.positions) AS position
    FROM ledger.steps AS p
) AS s ON s.number = t.number AND s.position = t.document
CROSS JOIN LATERAL (
    SELECT v.kind, v.body FROM ledger.events AS v
    WHERE v.region = t.region AND v.log = t.log AND v.year = t.year AND v.position = t.document
    OFFSET 0
) AS e
