-- People are told once of what happens in a ledger, whoever did it: a run in Airflow, or a person at the command line.

CREATE TABLE told (
    kb text PRIMARY KEY,
    n integer NOT NULL
);
COMMENT ON TABLE told IS 'Up to which event of a ledger people were told.';

-- Of what happened before, runs have told already.
INSERT INTO told SELECT kb, max(n) FROM events GROUP BY kb;
