-- First events of commands of one region by id, with the number of events in each log.
SELECT e.log, e.position, e.command_id, e.recorded_at, e.hash, e.body, h.code,
    (
        SELECT count(*) FROM ledger.events AS a
        WHERE a.region = e.region AND a.year = e.year AND a.log = e.log
            AND a.position >= e.position AND a.position < coalesce((
                SELECT min(o.position) FROM ledger.events AS o
                WHERE o.region = e.region AND o.year = e.year AND o.log = e.log
                    AND o.position > e.position AND o.command_id <> e.command_id
            ), 9223372036854775807)
    ) AS events
FROM ledger.events AS e
INNER JOIN ledger.heads AS h ON h.region = e.region AND h.log = e.log
WHERE e.region = $1 AND e.command_id = ANY ($2::uuid[]) AND e.n = 0
