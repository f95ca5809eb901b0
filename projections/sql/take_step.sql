-- What a version applies next, and whether it has; see the function.
SELECT * FROM projections.take_step($1, $2, $3, $4, $5, $6, $7)
