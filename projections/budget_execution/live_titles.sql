-- Titles by acts adopted by a day and applied by a sequence, the one that speaks last.
SELECT t.path, t.title
FROM budget_execution.titles AS t
WHERE t.region = $1 AND t.log = $2 AND t.sequence <= $3
    AND ($4::date IS NULL OR t.adopted_on <= $4)
ORDER BY t.adopted_on, t.sequence
