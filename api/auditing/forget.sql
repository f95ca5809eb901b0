-- Begin again.
DELETE FROM memory
