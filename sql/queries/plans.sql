-- name: classify(kb, serial, collection_id, generation, parser, chunker)
-- Every document of a listing or of a generation, and how it stands between them. Known: its chunks lie in the index
-- already, under this or another uri. A document that could not be parsed waits for a new version or a new parser.
SELECT COALESCE(l.source, b.source) AS source, COALESCE(l.uri, b.uri) AS uri,
       CASE WHEN l.uri IS NULL THEN 'gone'
            WHEN b.uri IS NULL THEN 'new'
            WHEN b.version_hint <> l.version_hint THEN 'changed'
            WHEN (b.parser, b.chunker) <> (:parser, :chunker) THEN 'again'
            ELSE 'same' END AS change,
       l.size_bytes, l.updated_at, b.tokens,
       EXISTS (SELECT FROM manifest t WHERE t.collection_id = :collection_id AND t.added_in <= :generation
                  AND t.version = COALESCE(l.version, CASE WHEN b.version_hint = l.version_hint THEN b.version END)
                  AND (t.parser, t.chunker) = (:parser, :chunker)) AS known,
       EXISTS (SELECT FROM quarantine q WHERE q.kb = :kb AND (q.source, q.uri) = (l.source, l.uri)
                  AND q.kind = 'parse' AND q.version_hint = l.version_hint AND q.parser = :parser) AS waits
  FROM (SELECT * FROM listed_documents WHERE serial = :serial) l
  FULL JOIN (SELECT * FROM manifest WHERE collection_id = :collection_id
                AND added_in <= :generation AND removed_in > :generation) b
    ON (b.source, b.uri) = (l.source, l.uri)
 ORDER BY 1, 2;

-- name: add_plan(kb, run_id, kind, generation, serial, fence, counts)^
-- Store a plan.
INSERT INTO plans (kb, run_id, kind, generation, serial, fence, counts)
VALUES (:kb, :run_id, :kind, :generation, :serial, :fence, :counts::jsonb)
RETURNING *;

-- name: add_plan_items*!
-- The documents that a plan works on, cut into batches.
INSERT INTO plan_items (plan_id, batch, source, uri, action) VALUES (:plan_id, :batch, :source, :uri, :action);

-- name: newest_plan(kb, run_id)^
-- The plan that a run follows.
SELECT * FROM plans WHERE kb = :kb AND run_id = :run_id ORDER BY id DESC LIMIT 1;

-- name: batches_of_plan(plan_id)
-- The numbers of a plan's batches.
SELECT DISTINCT batch FROM plan_items WHERE plan_id = :plan_id ORDER BY batch;

-- name: extent_of_batch(plan_id, batch)^
-- Where a batch lies in its plan.
SELECT count(*) FILTER (WHERE batch < :batch) AS before, count(*) FILTER (WHERE batch = :batch) AS documents,
       count(*) AS total, min(uri) FILTER (WHERE batch = :batch) AS first_uri
  FROM plan_items WHERE plan_id = :plan_id;

-- name: items_of_batch(plan_id, batch)
-- The documents of a batch that are not done yet, with what the listing says of them.
SELECT i.source, i.uri, i.action, l.version_hint, l.size_bytes, l.updated_at, l.groups, l.version
  FROM plan_items i
  JOIN plans p ON p.id = i.plan_id
  LEFT JOIN listed_documents l ON l.serial = p.serial AND (l.source, l.uri) = (i.source, i.uri)
 WHERE i.plan_id = :plan_id AND i.batch = :batch AND i.outcome IS NULL
 ORDER BY i.source, i.uri;

-- name: note_outcome(plan_id, source, uri, outcome)!
-- What became of a document.
UPDATE plan_items SET outcome = :outcome::jsonb WHERE plan_id = :plan_id AND source = :source AND uri = :uri;

-- name: outcomes(plan_id)
-- How many documents of a plan ended how.
SELECT outcome ->> 'outcome' AS outcome, count(*) AS documents
  FROM plan_items WHERE plan_id = :plan_id AND outcome IS NOT NULL GROUP BY 1 ORDER BY 1;

-- name: opened_documents(plan_id)$
-- How many documents were opened for a plan; those of its listing that settling a move had to open included.
SELECT (SELECT count(*) FROM plan_items WHERE plan_id = :plan_id AND (outcome ->> 'opened')::int = 1)
     + (SELECT count(*) FROM plan_items i JOIN plans p ON p.id = i.plan_id
          JOIN listed_documents l ON l.serial = p.serial AND (l.source, l.uri) = (i.source, i.uri)
         WHERE i.plan_id = :plan_id AND l.opened);

-- name: silent_sources(plan_id, least)
-- Sources that gave no document of a plan and refused at least so many, with the reason of the first. Of those that were
-- set aside before the last generation closed, it is known that they cannot be read: they say nothing against a source.
SELECT i.source, count(*) AS documents, (array_agg(q.reason ORDER BY i.uri))[1] AS reason
  FROM plan_items i JOIN plans p ON p.id = i.plan_id
  LEFT JOIN quarantine q ON (q.kb, q.source, q.uri) = (p.kb, i.source, i.uri)
 WHERE i.plan_id = :plan_id AND i.outcome ->> 'given' IS NOT NULL
   AND NOT COALESCE(q.since < (SELECT max(closed_at) FROM generations WHERE kb = p.kb), false)
 GROUP BY i.source
HAVING count(*) >= :least AND NOT bool_or((i.outcome ->> 'given')::bool)
 ORDER BY i.source;

-- name: embedded_for(plan_id)$
-- How many texts went through the embedder for a plan.
SELECT count(*) FROM embeddings WHERE plan_id = :plan_id;

-- name: unfinished_items(plan_id)$
-- Documents of a plan that no batch has worked off.
SELECT count(*) FROM plan_items WHERE plan_id = :plan_id AND outcome IS NULL;

-- name: quarantine_document(kb, source, uri, kind, version_hint, parser, reason, run_id)!
-- Set a document aside with its reason; its last good rows stay.
INSERT INTO quarantine AS q (kb, source, uri, kind, version_hint, parser, reason, run_id)
VALUES (:kb, :source, :uri, :kind, :version_hint, :parser, :reason, :run_id)
    ON CONFLICT (kb, source, uri) DO UPDATE
   SET kind = excluded.kind, version_hint = excluded.version_hint, parser = excluded.parser,
       reason = excluded.reason, run_id = excluded.run_id;

-- name: release_from_quarantine(kb, source, uri)!
-- The document is readable again, or gone.
DELETE FROM quarantine WHERE kb = :kb AND source = :source AND uri = :uri;

-- name: quarantined(kb)
-- Documents set aside, with their reasons.
SELECT source, uri, kind, reason, run_id, since FROM quarantine WHERE kb = :kb ORDER BY source, uri;

-- name: forget_quarantine_of_gone(kb, serial, collection_id, generation)!
-- A document that is not listed any more needs no quarantine, nor one that is listed in the indexed version again.
DELETE FROM quarantine q
 WHERE q.kb = :kb AND (
       NOT EXISTS (
       SELECT FROM listed_documents l WHERE l.serial = :serial AND (l.source, l.uri) = (q.source, q.uri))
    OR EXISTS (
       SELECT FROM listed_documents l
         JOIN manifest m ON (m.source, m.uri, m.version_hint) = (l.source, l.uri, l.version_hint)
        WHERE l.serial = :serial AND (l.source, l.uri) = (q.source, q.uri) AND l.version_hint <> q.version_hint
          AND m.collection_id = :collection_id AND m.added_in <= :generation AND m.removed_in > :generation));
