-- name: add_event(kb, kind, release, details, by_whom, run_id, why)$
-- Append an event under the next number of its knowledge base.
INSERT INTO events (kb, n, kind, release, details, by_whom, run_id, why)
SELECT :kb, COALESCE(max(n), 0) + 1, :kind, :release::int, :details::jsonb, :by_whom, :run_id, :why
  FROM events WHERE kb = :kb
RETURNING n;

-- name: events(kb)
-- The history of a knowledge base.
SELECT n, kind, release, details, at, by_whom, run_id, why FROM events WHERE kb = :kb ORDER BY n;

-- name: last_event_of(kb, kinds)^
-- The newest event of some kinds.
SELECT n, kind, release, details, at, by_whom, run_id, why FROM events
 WHERE kb = :kb AND kind = ANY(:kinds) ORDER BY n DESC LIMIT 1;

-- name: live_release(kb)$
-- The number of the release that is live.
SELECT n FROM live_releases WHERE kb = :kb;

-- name: place_of_release(kb, n)^
-- Where readers of a release find its rows, and when it went live last.
SELECT r.kb, r.n AS release, r.makeup #>> '{retrieval,collection}' AS collection,
       (r.makeup #>> '{retrieval,generation}')::int AS generation, c.provider,
       (SELECT e.at FROM events e WHERE e.kb = r.kb AND e.release = r.n AND e.kind IN ('promoted', 'rolled_back')
         ORDER BY e.n DESC LIMIT 1) AS live_since
  FROM releases r JOIN collections c ON c.id = (r.makeup #>> '{retrieval,collection_id}')::int
 WHERE r.kb = :kb AND r.n = :n;

-- name: release(kb, n)^
-- One release with its last outcome.
SELECT r.kb, r.n, r.component, r.makeup, r.fingerprint, r.parent, r.run_id, r.unjudged, r.created_at, o.outcome
  FROM releases r LEFT JOIN release_outcomes o USING (kb, n) WHERE r.kb = :kb AND r.n = :n;

-- name: releases(kb)
-- Every release with its last outcome.
SELECT r.kb, r.n, r.component, r.makeup, r.fingerprint, r.parent, r.run_id, r.unjudged, r.created_at, o.outcome
  FROM releases r LEFT JOIN release_outcomes o USING (kb, n) WHERE r.kb = :kb ORDER BY r.n;

-- name: release_of(kb, fingerprint, parent)$
-- The release that already stands for a candidate on that parent: not rejected or superseded, and its rows are kept.
SELECT r.n FROM releases r
  LEFT JOIN release_outcomes o USING (kb, n)
  LEFT JOIN generations g ON g.kb = r.kb AND g.generation = (r.makeup #>> '{retrieval,generation}')::int
 WHERE r.kb = :kb AND r.fingerprint = :fingerprint AND r.parent IS NOT DISTINCT FROM :parent::int
   AND COALESCE(o.outcome, 'open') NOT IN ('rejected', 'superseded') AND g.pruned_at IS NULL
 ORDER BY r.n DESC LIMIT 1;

-- name: add_release(kb, component, makeup, fingerprint, parent, run_id, unjudged)$
-- A new release under the next number of its knowledge base.
INSERT INTO releases (kb, n, component, makeup, fingerprint, parent, run_id, unjudged)
SELECT :kb, COALESCE(max(n), 0) + 1, :component, :makeup::jsonb, :fingerprint, :parent::int, :run_id, :unjudged
  FROM releases WHERE kb = :kb
RETURNING n;

-- name: promotion_hold(kb)^
-- The hold on promotions, if one is set.
SELECT since, by_whom, why FROM promotion_holds WHERE kb = :kb;

-- name: open_candidates(kb, component)
-- Releases of a component that wait for a verdict or a promotion.
SELECT r.n, r.parent FROM releases r LEFT JOIN release_outcomes o USING (kb, n)
 WHERE r.kb = :kb AND r.component = :component AND (o.outcome IS NULL OR o.outcome = 'held') ORDER BY r.n;

-- name: was_live(kb, n)$
-- Whether a release has ever been live.
SELECT EXISTS (SELECT FROM events WHERE kb = :kb AND release = :n AND kind IN ('promoted', 'rolled_back'));

-- name: events_of_release(kb, n, kinds)
-- What happened to a release, newest first.
SELECT n, kind, details, at, by_whom, run_id, why FROM events
 WHERE kb = :kb AND release = :n AND kind = ANY(:kinds) ORDER BY n DESC;

-- name: last_approval(kb, evaluation)^
-- What a person was asked or answered last about the evidence of an evaluation.
SELECT n, kind, release, details, at, by_whom, run_id, why FROM events
 WHERE kb = :kb AND details ? 'approval' AND (details ->> 'evaluation')::bigint = :evaluation
 ORDER BY n DESC LIMIT 1;

-- name: rolled_back_from(kb, candidate_fingerprint)^
-- The last rollback away from a candidate, under whatever number, for its quality or for legal reasons.
SELECT e.n, e.at, e.details, e.why FROM events e
  JOIN releases r ON r.kb = e.kb AND r.n = (e.details ->> 'from')::int AND r.fingerprint = :candidate_fingerprint
 WHERE e.kb = :kb AND e.kind = 'rolled_back' AND e.details ->> 'kind' IN ('quality', 'legal')
 ORDER BY e.n DESC LIMIT 1;

-- name: last_serious_rollback(kb)$
-- Number of the last rollback for quality or legal reasons; it makes every verdict be formed again.
SELECT COALESCE(max(n), 0) FROM events
 WHERE kb = :kb AND kind = 'rolled_back' AND details ->> 'kind' IN ('quality', 'legal');

-- name: verdict_on(kb, candidate_fingerprint, evaluation_fingerprint)^
-- The verdict on a candidate under given conditions: the same pair is never judged twice.
SELECT n, release, outcome, verdict, evaluation_id, decided_at FROM verdicts
 WHERE kb = :kb AND candidate_fingerprint = :candidate_fingerprint
   AND evaluation_fingerprint = :evaluation_fingerprint;

-- name: verdicts_of(kb, candidate_fingerprint)
-- Every verdict on a candidate with the questions that it was formed on, the one that was reached last first.
SELECT v.n, v.release, v.outcome, v.verdict, v.evaluation_id, v.evaluation_fingerprint, v.decided_at,
       e.comparison #>> '{comparison,made_of,candidate,questions}' AS questions,
       (SELECT max(n) FROM events WHERE kb = v.kb AND kind = 'evaluated'
           AND (details ->> 'evaluation')::bigint = v.evaluation_id) AS reached_at
  FROM verdicts v JOIN evaluations e ON e.id = v.evaluation_id
 WHERE v.kb = :kb AND v.candidate_fingerprint = :candidate_fingerprint ORDER BY reached_at DESC NULLS LAST, v.n DESC;

-- name: add_verdict(kb, release, candidate_fingerprint, evaluation_fingerprint, evaluation_id, outcome, verdict, run_id)!
-- Store a verdict under the next number of its knowledge base.
INSERT INTO verdicts (kb, n, release, candidate_fingerprint, evaluation_fingerprint, evaluation_id, outcome,
                      verdict, run_id)
SELECT :kb, COALESCE(max(n), 0) + 1, :release, :candidate_fingerprint, :evaluation_fingerprint, :evaluation_id,
       :outcome, :verdict::jsonb, :run_id
  FROM verdicts WHERE kb = :kb
    ON CONFLICT (kb, candidate_fingerprint, evaluation_fingerprint) DO NOTHING;

-- name: promoted_means(kb, metric)
-- Mean of a metric over the questions of each promoted release that was not rolled back for quality or legal reasons.
SELECT p.release AS n, avg(x.value) AS mean
  FROM (SELECT release, min(n) AS first FROM events WHERE kb = :kb AND kind = 'promoted' GROUP BY release) p
  JOIN releases r ON r.kb = :kb AND r.n = p.release
  JOIN LATERAL (SELECT evaluation_id FROM verdicts v WHERE v.kb = :kb AND v.candidate_fingerprint = r.fingerprint
                   AND v.outcome = 'promote' ORDER BY v.n DESC LIMIT 1) v ON true
  JOIN evidence x ON x.evaluation_id = v.evaluation_id AND x.side = 'candidate' AND x.metric = :metric
 WHERE NOT EXISTS (SELECT FROM events e JOIN releases b ON b.kb = e.kb AND b.n = (e.details ->> 'from')::int
                    WHERE e.kb = :kb AND e.kind = 'rolled_back' AND e.details ->> 'kind' IN ('quality', 'legal')
                      AND b.fingerprint = r.fingerprint)
 GROUP BY p.release, p.first ORDER BY p.first;
