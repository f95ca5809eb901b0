-- The function that takes a step got the logs to look at as arguments; functions are made anew.
DROP FUNCTION IF EXISTS ledger.sequence_step(bigint);
