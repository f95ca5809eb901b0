-- Commands whose annex holds a value: what a person's request for erasure is about.
SELECT h.code, a.command_id, a.field
FROM ledger.annex AS a
INNER JOIN ledger.heads AS h ON h.region = a.region AND h.log = a.log
WHERE a.value = $1
ORDER BY h.code, a.command_id, a.field
