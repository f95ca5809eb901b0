-- What receipts promise of the first events of answers, by budget and position; no body is moved.
SELECT h.code, e.position, e.command_id, e.kind::text, e.hash, sha256(e.body) AS body
FROM unnest($1::text[], $2::bigint[]) AS t (code, position)
INNER JOIN ledger.heads AS h ON h.code = t.code
INNER JOIN ledger.events AS e
    ON e.region = h.region AND e.log = h.log AND e.position = t.position AND e.year = h.year
