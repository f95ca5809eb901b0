-- Where the notary goes on: how many full tiles of level 0, the newest head that is kept, and the
-- last sequence. (Every published checkpoint has a head, so the newest head is not older.)
SELECT
    (SELECT coalesce(max(index) + 1, 0) FROM ledger.tiles WHERE level = 0) AS tiles,
    h.size, h.root,
    (SELECT coalesce(max(last_sequence), 0) FROM ledger.steps) AS sequence
FROM (SELECT) AS one
LEFT JOIN (SELECT size, root FROM ledger.tree_heads ORDER BY size DESC LIMIT 1) AS h ON true
