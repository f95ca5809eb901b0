-- All sequenced documents that name lines, and whatever has a kind that nobody has decided about: of
-- the kinds other than $1, those that are not of the kinds $2 or hold a title. In canonical JSON the
-- bytes `"title":"` can only be the field itself: inside a text a quotation mark has a backslash.
-- OFFSET 0 keeps the tests apart: few events pass the first, and the second unpacks the whole row.
SELECT s.sequence, d.region, d.log, d.adopted_on, d.kind::text, d.body
FROM (
    SELECT e.region, e.log, e.position, e.adopted_on, e.kind, e.body
    FROM ledger.events AS e
    WHERE e.kind <> ALL ((SELECT $1::text []::ledger.kind [])::ledger.kind [])
    OFFSET 0
) AS d
INNER JOIN ledger.sequenced AS q ON q.region = d.region AND q.log = d.log
INNER JOIN (
    SELECT
        generate_series(t.first_sequence, t.last_sequence) AS sequence, unnest(t.logs) AS number,
        unnest(t.positions) AS position
    FROM ledger.steps AS t
) AS s ON s.number = q.number AND s.position = d.position
WHERE d.kind <> ALL ((SELECT $2::text []::ledger.kind [])::ledger.kind []) OR position('"title":"'::bytea IN d.body) > 0
