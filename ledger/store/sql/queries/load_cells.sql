-- The cells that every decision on a log may need: the budget, its lines, accounts, exemptions.
SELECT log, kind, key, number, content
FROM ledger.cells
WHERE region = $1 AND log = ANY ($2::bigint[]) AND kind IN ('budget', 'line', 'account', 'exempt')
