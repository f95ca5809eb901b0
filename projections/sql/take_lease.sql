-- Try to become the one active runner.
SELECT pg_try_advisory_lock($1)
