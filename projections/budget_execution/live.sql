-- Figures of a budget's lines as the live sums say, with the sequence they are true for, in one
-- statement, so that both belong together also while a rebuilt version is swapped in.
SELECT
    coalesce(p.applied, c.sequence) AS sequence, l.path,
    g.approved, g.amended, g.adjusted, g.plan_receipts, g.plan_receipts_year,
    g.plan_commitments, g.plan_commitments_year, g.plan_payments, g.plan_payments_year,
    g.accepted, g.executed, g.on_contracts
FROM budget_execution.checkpoint AS c
LEFT JOIN budget_execution.parked AS p ON p.region = $1 AND p.log = $2
LEFT JOIN (
    SELECT
        t.line, sum(t.approved) AS approved, sum(t.amended) AS amended,
        sum(t.adjusted) AS adjusted,
        sum(t.plan_receipts) FILTER (WHERE t.month <= $3) AS plan_receipts,
        sum(t.plan_receipts) AS plan_receipts_year,
        sum(t.plan_commitments) FILTER (WHERE t.month <= $3) AS plan_commitments,
        sum(t.plan_commitments) AS plan_commitments_year,
        sum(t.plan_payments) FILTER (WHERE t.month <= $3) AS plan_payments,
        sum(t.plan_payments) AS plan_payments_year,
        sum(t.accepted) AS accepted, sum(t.executed) AS executed,
        sum(t.on_contracts) AS on_contracts
    FROM budget_execution.sums AS t
    WHERE t.region = $1 AND t.log = $2 AND t.effective_from <= $3
        AND ($4::date IS NULL OR t.adopted_on <= $4)
    GROUP BY t.line
) AS g ON true
LEFT JOIN ledger.lines AS l ON l.region = $1 AND l.log = $2 AND l.line = g.line
