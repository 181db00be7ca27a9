-- name: stopped_by(run_id)$
-- The brake that stopped a run, in its own words.
SELECT stopped_by FROM runs WHERE run_id = :run_id;
