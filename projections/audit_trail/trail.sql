-- Rows of the trail after a sequence, by every condition that is given. A prefix of a line is a
-- range of paths, so that the index on (budget, line) serves it.
SELECT r.*
FROM audit_trail.rows AS r
WHERE r.sequence > $1
    AND ($2::text IS NULL OR r.budget = $2)
    AND ($3::text [] IS NULL OR (
        r.line >= $3 AND r.line < $3 || chr(1114111) AND r.line[1:cardinality($3)] = $3
    ))
    AND ($4::text IS NULL OR r.contract = $4)
    AND ($5::text IS NULL OR r.account = $5)
    AND ($6::text IS NULL OR r.actor = $6)
    AND ($7::text IS NULL OR r.act = $7)
    AND ($8::text IS NULL OR r.kind = $8)
    AND ($9::uuid IS NULL OR r.command_id = $9)
ORDER BY r.sequence
LIMIT $10
