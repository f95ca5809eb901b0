-- Kinds of stored events that are not among those given: what a later release knows.
SELECT k.kind::text
FROM unnest(enum_range(NULL::ledger.kind)) AS k (kind)
WHERE k.kind::text <> ALL ($1::text [])
    AND EXISTS (SELECT 1 FROM ledger.events AS e WHERE e.kind = k.kind)
