-- name: untold_events(kb)
-- What happened in the ledger since people were told last, oldest first.
SELECT n, kind, release, by_whom, run_id, why FROM events
 WHERE kb = :kb AND n > coalesce((SELECT told.n FROM told WHERE told.kb = :kb), 0)
 ORDER BY n;

-- name: mark_told(kb, n)!
-- People were told of everything up to this event.
INSERT INTO told (kb, n) VALUES (:kb, :n) ON CONFLICT (kb) DO UPDATE SET n = excluded.n;

-- name: quarantined_first_by(kb, run_id)
-- Documents that were not set aside before this run began, and that its plans do not have as told.
SELECT q.source, q.uri, q.reason FROM quarantine q JOIN runs r ON r.run_id = q.run_id
 WHERE q.kb = :kb AND q.run_id = :run_id AND q.since >= r.frozen_at
   AND NOT EXISTS (SELECT FROM plan_items i JOIN plans p ON p.id = i.plan_id
                    WHERE (p.kb, p.run_id) = (q.kb, q.run_id) AND (i.source, i.uri) = (q.source, q.uri)
                      AND i.outcome ? 'told')
 ORDER BY q.source, q.uri;

-- name: mark_quarantined_told(kb, run_id, sources, uris)!
-- People were told that these documents of a run's plans could not be read.
UPDATE plan_items i SET outcome = i.outcome || '{"told": true}'
  FROM plans p, unnest(:sources::text[], :uris::text[]) AS n (source, uri)
 WHERE p.id = i.plan_id AND (p.kb, p.run_id) = (:kb, :run_id) AND (i.source, i.uri) = (n.source, n.uri)
   AND i.outcome IS NOT NULL;

-- name: counts_of_run(kb, run_id)$
-- What the newest generation that a run closed cost and holds.
SELECT counts FROM generations WHERE kb = :kb AND run_id = :run_id AND state <> 'open' ORDER BY generation DESC LIMIT 1;
