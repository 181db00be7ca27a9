-- name: last_outcome(kb, release)^
-- What became of a release, and why.
SELECT kind, why FROM events
 WHERE kb = :kb AND release = :release AND kind IN ('promoted', 'rejected', 'held', 'superseded', 'rolled_back')
 ORDER BY n DESC LIMIT 1;

-- name: quarantined_first_by(kb, run_id)
-- Documents that were not set aside before this run began.
SELECT q.uri, q.reason FROM quarantine q JOIN runs r ON r.run_id = q.run_id
 WHERE q.kb = :kb AND q.run_id = :run_id AND q.since >= r.frozen_at ORDER BY q.source, q.uri;

-- name: counts_of_run(kb, run_id)$
-- What the newest generation that a run closed cost and holds.
SELECT counts FROM generations WHERE kb = :kb AND run_id = :run_id AND state <> 'open' ORDER BY generation DESC LIMIT 1;
