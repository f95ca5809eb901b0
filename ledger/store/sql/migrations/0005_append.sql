-- The append function takes stored and new cells apart: its old form goes, the new one is made
-- with the other functions.
DROP FUNCTION IF EXISTS ledger.append;
