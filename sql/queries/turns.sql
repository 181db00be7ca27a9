-- name: ask_for_turn(kb, run_id, backfill_from)!
-- Make the lease row if it is missing, forget waiting runs that are gone, and stand in the queue.
WITH lease AS (INSERT INTO turns (kb) VALUES (:kb) ON CONFLICT DO NOTHING),
     gone AS (DELETE FROM turn_queue WHERE kb = :kb AND seen_at < now() - interval '10 minutes' AND run_id <> :run_id)
INSERT INTO turn_queue (kb, run_id, backfill_from) VALUES (:kb, :run_id, :backfill_from)
    ON CONFLICT (kb, run_id) DO UPDATE SET seen_at = now();

-- name: turn(kb)^
-- Who holds the turn, and whether the lease still lasts.
SELECT holder, fence, expires_at, holder IS NOT NULL AND expires_at > now() AS held FROM turns WHERE kb = :kb;

-- name: first_in_queue(kb)$
-- The waiting run that goes next: backfills last, of them the earliest interval.
SELECT run_id FROM turn_queue WHERE kb = :kb
 ORDER BY backfill_from NULLS FIRST, asked_at, run_id LIMIT 1;

-- name: grant_turn(kb, run_id, minutes)$
-- Give the turn to a run and let it leave the queue.
WITH leaving AS (DELETE FROM turn_queue WHERE kb = :kb AND run_id = :run_id)
UPDATE turns SET holder = :run_id, fence = fence + 1, expires_at = now() + make_interval(secs => :minutes * 60)
 WHERE kb = :kb
RETURNING fence;

-- name: renew_turn(kb, run_id, minutes, step)$
-- Prolong the lease of the run that holds it.
UPDATE turns SET fence = fence + :step, expires_at = now() + make_interval(secs => :minutes * 60)
 WHERE kb = :kb AND holder = :run_id
RETURNING fence;

-- name: release_turn(kb, run_id)!
-- End the lease of a run, and its place in the queue.
WITH leaving AS (DELETE FROM turn_queue WHERE kb = :kb AND run_id = :run_id)
UPDATE turns SET holder = NULL, expires_at = now() WHERE kb = :kb AND holder = :run_id;

-- name: hold_fence(kb, run_id, fence, outlives_seconds)$
-- Whether this is still the newest fence; if so, nobody can take a higher one before the transaction ends.
SELECT true FROM turns
 WHERE kb = :kb AND holder = :run_id AND fence = :fence
   AND (:outlives_seconds = 0 OR expires_at > clock_timestamp() + make_interval(secs => :outlives_seconds))
   FOR SHARE;
