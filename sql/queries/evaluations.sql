-- name: readers(kb)
-- Groups that may read each document of the newest complete listing.
SELECT a.uri, a.groups FROM document_access a
 WHERE a.kb = :kb AND a.serial = (SELECT max(serial) FROM listings WHERE kb = :kb AND finished_at IS NOT NULL AND error IS NULL);

-- name: is_pruned(kb, generation)$
-- Whether rows of a generation have been deleted.
SELECT pruned_at IS NOT NULL FROM generations WHERE kb = :kb AND generation = :generation;

-- name: known_quotes(versions, quotes)
-- Which quotes are known to stand, or not to stand, in versions of documents; the two lists are parallel.
SELECT p.version, p.quote, p.stands
  FROM plain_quotes p JOIN unnest(:versions::text[], :quotes::text[]) AS asked (version, quote) USING (version, quote);

-- name: remember_quotes*!
-- Versions never change, so this holds for good.
INSERT INTO plain_quotes (version, quote, stands) VALUES (:version, :quote, :stands) ON CONFLICT DO NOTHING;

-- name: evaluation_of(kb, candidate_fingerprint, evaluation_fingerprint)$
-- The evaluation of a candidate under given conditions.
SELECT id FROM evaluations
 WHERE kb = :kb AND candidate_fingerprint = :candidate_fingerprint
   AND evaluation_fingerprint = :evaluation_fingerprint;

-- name: evaluation(id)^
-- The frame of an evaluation.
SELECT id, kb, release, run_id, candidate_fingerprint, evaluation_fingerprint, comparison, started_at
  FROM evaluations WHERE id = :id;

-- name: add_evaluation(kb, release, run_id, candidate_fingerprint, evaluation_fingerprint, comparison)$
-- The frame of a comparison; its evidence follows in the same transaction.
INSERT INTO evaluations (kb, release, run_id, candidate_fingerprint, evaluation_fingerprint, comparison)
VALUES (:kb, :release, :run_id, :candidate_fingerprint, :evaluation_fingerprint, :comparison::jsonb)
RETURNING id;

-- name: add_evidence*!
-- One measurement.
INSERT INTO evidence (evaluation_id, side, question, family, metric, value, slices)
VALUES (:evaluation_id, :side, :question, :family, :metric, :value, :slices);

-- name: evidence_of(evaluation_id)
-- Every measurement of an evaluation, in a fixed order.
SELECT side, question, family, metric, value, slices FROM evidence
 WHERE evaluation_id = :evaluation_id ORDER BY side, question, metric;

-- name: add_transcripts*!
-- What a side found and answered.
INSERT INTO transcripts (evaluation_id, side, question, asked, sources, best_score, collection_id, chunks, answer)
VALUES (:evaluation_id, :side, :question, :asked, :sources, :best_score, :collection_id, :chunks::jsonb, :answer);
