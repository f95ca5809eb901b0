-- A budget's documents that name lines, up to a position, adopted by a day, the last one last.
SELECT e.body
FROM ledger.events AS e
WHERE e.region = $1 AND e.log = $2 AND e.year = $5 AND e.position <= $3
    AND ($4::date IS NULL OR e.adopted_on <= $4)
    AND e.kind IN ('budget.approved', 'budget.amended')
ORDER BY e.adopted_on, e.position
