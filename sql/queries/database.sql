-- name: lock_exclusive(name)$
-- Wait for the advisory lock of that name and hold it until the transaction ends.
SELECT pg_advisory_xact_lock(hashtextextended(:name, 0));

-- name: lock_shared(name)$
-- The same, beside other holders of the shared lock.
SELECT pg_advisory_xact_lock_shared(hashtextextended(:name, 0));

-- name: relation_exists(name)$
-- Whether there is a table of that name.
SELECT to_regclass(quote_ident(:name)) IS NOT NULL;
