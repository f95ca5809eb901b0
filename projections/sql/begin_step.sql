-- What a version applies next; see the function.
SELECT * FROM projections.begin_step($1, $2, $3, $4)
