-- Append a batch to the logs of one region; the arguments are the function's. Arrays of numbers,
-- days and texts come as their text: parsing it here is cheaper than encoding each element there.
SELECT ledger.append(
    $1, $2, $3, $4::text::bigint[], $5::text::text[], $6::text::smallint[], $7::text::bigint[],
    $8, $9::text::bigint[], $10, $11::text::bigint[], $12::text::bigint[], $13::text::bigint[],
    $14::text::smallint[], $15, $16::text::smallint[], $17::text::ledger.kind[], $18::text::bigint[],
    $19::text::date[], $20::text::date[], $21::text::date[], $22::text::int[],
    $23::text::text[], $24, $25::text::text[], $26::text::int[], $27::text::bigint[],
    $28::text::bigint[], $29::text::bigint[], $30::text::bigint[], $31::text::bigint[],
    $32::text::bigint[], $33::text::bigint[], $34::text::bigint[], $35::text::bigint[],
    $36::text::bigint[], $37::text::bigint[], $38, $39, $40::text::bigint[], $41::text::int[],
    $42::text::text[], $43::text::bigint[], $44::text::text[], $45::text::text[],
    $46::text::int[], $47::text::bigint[], $48::text::bigint[], $49::text::bigint[],
    $50::text::bigint[], $51::text::bigint[], $52::text::bigint[], $53::text::bigint[],
    $54::text::int[], $55::text::bigint[], $56, $57::text::bigint[], $58::text::text[],
    $59::text::text[], $60::text::int[], $61::text::bigint[], $62::text::bigint[],
    $63::text::bigint[], $64::text::bigint[], $65::text::bigint[], $66::text::bigint[],
    $67::text::bigint[], $68::text::int[], $69::text::bigint[], $70, $71::text::bigint[],
    $72::text::text[], $73::text::text[], $74::text::text[], $75::text::int[],
    $76::text::bigint[], $77::text::text[], $78::text::text[], $79::text::text[],
    $80::text::int[], $81
)
