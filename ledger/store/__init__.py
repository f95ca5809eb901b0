"""PostgreSQL: the embedded server, the pool, appending, reading and sequencing."""
