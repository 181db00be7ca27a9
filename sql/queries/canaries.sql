-- name: running_canary(kb)^
-- The canary that runs, with its release, its adapter and its settings.
SELECT kb, n, release, since, until, details FROM running_canaries WHERE kb = :kb;

-- name: last_of_canary(kb, adapter)^
-- Whether the newest canary of an adapter was started or has ended, and with which judgement.
SELECT n, kind, release, details, at, run_id FROM events
 WHERE kb = :kb AND kind IN ('canary_started', 'canary_ended') AND details ->> 'adapter' = :adapter
 ORDER BY n DESC LIMIT 1;

-- name: last_flight_from(kb, adapter)$
-- Number of the last rollback away from an adapter for its quality or for legal reasons, or 0.
SELECT COALESCE(max(e.n), 0) FROM events e
  JOIN releases left_one ON left_one.kb = e.kb AND left_one.n = (e.details ->> 'from')::int
  JOIN releases target ON target.kb = e.kb AND target.n = e.release
 WHERE e.kb = :kb AND e.kind = 'rolled_back' AND e.details ->> 'kind' IN ('quality', 'legal')
   AND left_one.makeup #>> '{adapter,digest}' = :adapter
   AND target.makeup #>> '{adapter,digest}' IS DISTINCT FROM :adapter;

-- name: canary_of_release(kb, release)^
-- The canary that was started last for a release.
SELECT n, release, at, details FROM events
 WHERE kb = :kb AND kind = 'canary_started' AND release = :release ORDER BY n DESC LIMIT 1;

-- name: end_of_canary(kb, canary)^
-- The judgement on a canary, if it has one.
SELECT n, release, details, at, run_id FROM events
 WHERE kb = :kb AND kind = 'canary_ended' AND (details ->> 'canary')::int = :canary ORDER BY n DESC LIMIT 1;

-- name: configured_canary(kb, adapter)$
-- The block `canary` of an adapter's newest run, by the adapter's name.
SELECT configuration #> '{adapter,canary}' FROM runs
 WHERE kb = :kb AND configuration #>> '{adapter,name}' = :adapter AND starts_with(run_id, 'adapter_')
 ORDER BY frozen_at DESC LIMIT 1;

-- name: newest_release_with(kb, adapter)$
-- The newest release that was proposed with an adapter.
SELECT max(n) FROM releases
 WHERE kb = :kb AND component = 'adapter' AND makeup #>> '{adapter,digest}' = :adapter AND NOT unjudged;

-- name: newest_judged_release_with(kb, adapter)$
-- The newest release that was proposed with an adapter and has a verdict.
SELECT max(r.n) FROM releases r
 WHERE r.kb = :kb AND r.component = 'adapter' AND r.makeup #>> '{adapter,digest}' = :adapter AND NOT r.unjudged
   AND EXISTS (SELECT FROM verdicts v WHERE v.kb = r.kb AND v.candidate_fingerprint = r.fingerprint);

-- name: add_canary_outcome(kb, canary, request, side, reader, good)!
-- What became of one request. Told again, it changes nothing.
INSERT INTO canary_outcomes (kb, canary, request, side, reader, good)
VALUES (:kb, :canary, :request, :side, :reader, :good)
    ON CONFLICT (kb, canary, request) DO NOTHING;

-- name: canary_tally(kb, canary, until)
-- Good and all answered requests of each reader of a canary, up to its end.
SELECT side, reader, count(*) FILTER (WHERE good) AS good, count(*) AS answered
  FROM canary_outcomes WHERE kb = :kb AND canary = :canary AND at < :until GROUP BY side, reader ORDER BY side, reader;
