-- Double entry as people write it by hand: two accounts locked in order, a balance that may not go
-- below zero, two entries, two balances. The limit of the benches T6 and `entries`.
CREATE SCHEMA double_entry;

CREATE TABLE double_entry.accounts (
    account int PRIMARY KEY,
    balance bigint NOT NULL CHECK (balance >= 0)
) WITH (fillfactor = 70);

CREATE TABLE double_entry.transfers (
    transfer uuid PRIMARY KEY,
    made_at timestamptz NOT NULL DEFAULT now(),
    note text NOT NULL
);

CREATE TABLE double_entry.entries (
    entry bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    transfer uuid NOT NULL REFERENCES double_entry.transfers,
    account int NOT NULL REFERENCES double_entry.accounts,
    amount bigint NOT NULL
);
CREATE INDEX entries_account ON double_entry.entries (account, entry);

-- One transfer. A repeated id fails on the primary key; too little money on the CHECK.
CREATE FUNCTION double_entry.transfer(
    p_transfer uuid, p_from int, p_to int, p_amount bigint, p_note text
) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM double_entry.accounts
    WHERE account IN (p_from, p_to) ORDER BY account FOR UPDATE;

    INSERT INTO double_entry.transfers (transfer, note) VALUES (p_transfer, p_note);
    INSERT INTO double_entry.entries (transfer, account, amount)
    VALUES (p_transfer, p_from, -p_amount), (p_transfer, p_to, p_amount);

    UPDATE double_entry.accounts SET balance = balance - p_amount WHERE account = p_from;
    UPDATE double_entry.accounts SET balance = balance + p_amount WHERE account = p_to;
END
$$;

-- Many transfers in one call and one transaction: all accounts locked first, then one by one.
CREATE FUNCTION double_entry.transfer_all(
    p_transfers uuid[], p_from int[], p_to int[], p_amounts bigint[], p_note text
) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM double_entry.accounts
    WHERE account = ANY (p_from || p_to) ORDER BY account FOR UPDATE;

    FOR n IN 1 .. cardinality(p_transfers) LOOP
        PERFORM double_entry.transfer(
            p_transfers[n], p_from[n], p_to[n], p_amounts[n], p_note
        );
    END LOOP;
END
$$;
