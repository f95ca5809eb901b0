-- How many events of a budget were flagged, by the three filters.
SELECT count(*)
FROM budget_execution.warnings AS w
WHERE w.region = $1 AND w.log = $2 AND w.sequence <= $3 AND w.effective_from <= $4
    AND ($5::date IS NULL OR w.adopted_on <= $5)
