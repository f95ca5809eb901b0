-- How many events of a budget were flagged up to a position, by the other two filters.
SELECT count(*)
FROM ledger.events AS e
WHERE e.region = $1 AND e.log = $2 AND e.year = $6 AND e.position <= $3
    AND e.effective_from <= $4
    AND ($5::date IS NULL OR e.adopted_on <= $5)
    AND position('"flags":['::bytea IN e.body) > 0
