-- name: knowledge_bases()
-- Every knowledge base that has had a run or a release.
SELECT kb FROM runs UNION SELECT kb FROM releases ORDER BY kb;

-- name: standings(kbs)
-- What is live in each of some knowledge bases, since when it has been behind its sources, and what holds it up.
-- Behind: since a generation was closed that is not live, or since the first run over everything began that was stopped,
-- could not list or has not closed what it planned, after the last one that came to its end. The earlier of the two,
-- since each hides the other.
SELECT k.kb, l.n AS live, l.live_since, h.since AS held_since, h.why AS held_why,
       (SELECT max(n) FROM releases WHERE kb = k.kb) AS newest,
       CASE WHEN l.n IS NOT NULL THEN least(s.since,
           CASE WHEN c.digest <> l.makeup #>> '{retrieval,digest}' THEN coalesce(
               (SELECT min(g.closed_at) FROM generations g
                 WHERE g.kb = k.kb AND g.state = 'closed' AND g.digest <> l.makeup #>> '{retrieval,digest}'
                   AND g.generation > l.generation), c.closed_at) END) END AS behind_since,
       (SELECT count(*) FROM quarantine WHERE kb = k.kb) AS quarantined
  FROM unnest(:kbs::text[]) AS k (kb)
  LEFT JOIN live_releases l ON l.kb = k.kb
  LEFT JOIN promotion_holds h ON h.kb = k.kb
  LEFT JOIN LATERAL (SELECT digest, closed_at FROM generations WHERE kb = k.kb AND state <> 'open'
                      ORDER BY generation DESC LIMIT 1) c ON true
  LEFT JOIN LATERAL (
       WITH whole AS (
           SELECT frozen_at, stopped_by,
                  (SELECT error FROM listings WHERE (kb, run_id) = (r.kb, r.run_id) ORDER BY serial DESC LIMIT 1) AS error,
                  EXISTS (SELECT FROM plans WHERE (kb, run_id) = (r.kb, r.run_id)) AS planned,
                  EXISTS (SELECT FROM plans p LEFT JOIN generations g USING (kb, generation, run_id)
                           WHERE (p.kb, p.run_id) = (r.kb, r.run_id) AND (p.kind <> 'index' OR g.state <> 'open')) AS done
             FROM runs r WHERE r.kb = k.kb AND scope ->> 'kind' = 'whole' AND scope ->> 'dry_run' IS DISTINCT FROM 'true')
       SELECT min(frozen_at) AS since FROM whole
        WHERE (stopped_by IS NOT NULL OR error IS NOT NULL OR (planned AND NOT done))
          AND frozen_at > coalesce((SELECT max(frozen_at) FROM whole WHERE done AND stopped_by IS NULL), '-infinity')
       ) s ON true
 ORDER BY k.kb;

-- name: release_lines(kb, most)
-- Releases with their last outcome, the verdict that was reached last on each, the means in that, and whether it can go
-- live again. Most: so many of the newest, with the earlier ones that can; null: all.
WITH reached AS (
    SELECT (details ->> 'evaluation')::bigint AS evaluation_id, max(n) AS at FROM events
     WHERE kb = :kb AND kind = 'evaluated' GROUP BY 1),
newest AS (
    SELECT DISTINCT ON (v.candidate_fingerprint) v.candidate_fingerprint, v.outcome, v.verdict
      FROM verdicts v LEFT JOIN reached USING (evaluation_id) WHERE v.kb = :kb
     ORDER BY v.candidate_fingerprint, reached.at DESC NULLS LAST, v.n DESC),
lines AS (
SELECT r.kb, r.n, r.component, r.makeup, r.fingerprint, r.parent, r.run_id, r.unjudged, r.created_at, o.outcome,
       v.outcome AS verdict, v.verdict #>> '{summary,0}' AS summary,
       (SELECT jsonb_object_agg(c ->> 'metric', c -> 'candidate') FROM jsonb_array_elements(v.verdict -> 'checks') c
         WHERE jsonb_typeof(c -> 'candidate') = 'number' AND jsonb_typeof(c -> 'slice') = 'null') AS means,
       EXISTS (SELECT FROM events e WHERE e.kb = r.kb AND e.release = r.n AND e.kind IN ('promoted', 'rolled_back'))
         AS was_live,
       EXISTS (SELECT FROM generations g WHERE g.kb = r.kb AND g.pruned_at IS NOT NULL
                  AND g.generation = (r.makeup #>> '{retrieval,generation}')::int) AS pruned
  FROM releases r
  LEFT JOIN release_outcomes o USING (kb, n)
  LEFT JOIN newest v ON v.candidate_fingerprint = r.fingerprint
 WHERE r.kb = :kb)
SELECT * FROM lines
 WHERE :most::int IS NULL OR n > (SELECT max(n) FROM releases WHERE kb = :kb) - :most::int OR (was_live AND NOT pruned)
 ORDER BY n;

-- name: live_periods(kb)
-- When which release was live; the one that is has no end.
SELECT release, at AS since, lead(at) OVER (ORDER BY n) AS until FROM events
 WHERE kb = :kb AND kind IN ('promoted', 'rolled_back') ORDER BY n;

-- name: history_of_release(kb, release)
-- What happened to one release.
SELECT n, kind, release, details, at, by_whom, run_id, why FROM events
 WHERE kb = :kb AND release = :release ORDER BY n;

-- name: find_events(kb, kinds, release, words, since, until, before, most)
-- The history of a knowledge base, newest first; a filter that is null lets everything pass. Before: an event's number.
SELECT n, kind, release, details, at, by_whom, run_id, why FROM events
 WHERE kb = :kb
   AND (:kinds::text[] IS NULL OR kind = ANY(:kinds::text[]))
   AND (:release::int IS NULL OR release = :release::int)
   AND (:words::text IS NULL OR strpos(lower(concat_ws(' ', by_whom, run_id, why)), lower(:words::text)) > 0)
   AND (:since::timestamptz IS NULL OR at >= :since::timestamptz)
   AND (:until::timestamptz IS NULL OR at < :until::timestamptz)
   AND (:before::int IS NULL OR n < :before::int)
 ORDER BY n DESC LIMIT :most;

-- name: differing_rows(evaluation_id, against)
-- Measurements in which the candidate and another side differ. One side may have none.
SELECT question, metric, coalesce(c.family, o.family) AS family, coalesce(c.slices, o.slices) AS slices,
       c.value AS candidate, o.value AS other
  FROM (SELECT * FROM evidence WHERE evaluation_id = :evaluation_id AND side = 'candidate') c
  FULL JOIN (SELECT * FROM evidence WHERE evaluation_id = :evaluation_id AND side = :against) o
 USING (question, metric)
 WHERE c.value IS DISTINCT FROM o.value ORDER BY question, metric;

-- name: measured_sides(evaluation_id)
-- The sides of an evaluation.
SELECT DISTINCT side FROM evidence WHERE evaluation_id = :evaluation_id ORDER BY side;

-- name: document_ages(collection_id, generation)^
-- How many documents a generation holds, and how old they are.
SELECT count(*) AS documents, coalesce(sum(chunks), 0)::int AS chunks, min(updated_at) AS oldest, max(updated_at) AS newest,
       percentile_disc(0.5) WITHIN GROUP (ORDER BY updated_at) AS median
  FROM manifest
 WHERE collection_id = :collection_id AND added_in <= :generation AND removed_in > :generation;

-- name: times_to_live(kb)
-- For each promoted index: how long it took from the start of the listing that it was built from until readers saw it.
SELECT e.release, e.at AS promoted_at, extract(epoch FROM e.at - l.started_at)::float AS seconds
  FROM events e
  JOIN releases r ON r.kb = e.kb AND r.n = e.release AND r.component = 'retrieval'
  JOIN (SELECT generation, max(serial) AS serial FROM plans WHERE kb = :kb AND kind = 'index' GROUP BY generation) p
    ON p.generation = (r.makeup #>> '{retrieval,generation}')::int
  JOIN listings l ON l.serial = p.serial
 WHERE e.kb = :kb AND e.kind = 'promoted' ORDER BY e.n;

-- name: newest_run(kb)^
-- The run that froze its configuration last, with what stopped it and whether its listing broke off.
SELECT r.run_id, r.frozen_at, r.stopped_by,
       (SELECT error FROM listings l WHERE l.run_id = r.run_id ORDER BY serial DESC LIMIT 1) AS listing_error
  FROM runs r WHERE r.kb = :kb AND starts_with(r.run_id, 'kb_') ORDER BY r.frozen_at DESC LIMIT 1;

-- name: transcripts_of(evaluation_id, question)
-- What each side found for a question and answered.
SELECT t.side, t.asked, t.sources, t.best_score, t.collection_id, t.chunks, a.text AS answer
  FROM transcripts t LEFT JOIN answers a ON a.key = t.answer
 WHERE t.evaluation_id = :evaluation_id AND t.question = :question ORDER BY t.side;

-- name: measured_on(evaluation_id, question)
-- Every measurement on a question.
SELECT metric, side, value FROM evidence
 WHERE evaluation_id = :evaluation_id AND question = :question ORDER BY metric, side;
