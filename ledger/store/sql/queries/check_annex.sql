-- Every event with an annex in its body or values kept beside it, and whether it was erased since.
SELECT h.code, e.position, e.body, a.field, a.salt, a.value
FROM ledger.events AS e
INNER JOIN ledger.heads AS h ON h.region = e.region AND h.log = e.log
LEFT JOIN ledger.annex AS a
    ON a.region = e.region AND a.log = e.log AND a.command_id = e.command_id
WHERE e.n = 0
    AND (a.field IS NOT NULL OR position('"annex":{'::bytea IN e.body) > 0
        OR e.kind = 'ledger.annex.erased')
ORDER BY h.code, e.position, a.field
