-- Flagged events of a budget after a sequence.
SELECT w.sequence, w.position, w.kind, l.path, w.contract, w.effective_from, w.adopted_on, w.flags
FROM budget_execution.warnings AS w
LEFT JOIN ledger.lines AS l ON l.region = w.region AND l.log = w.log AND l.line = w.line
WHERE w.region = $1 AND w.log = $2 AND w.sequence > $3
ORDER BY w.sequence
LIMIT $4
