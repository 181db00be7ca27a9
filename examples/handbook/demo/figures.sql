-- name: stopped_by(run_id)$
-- The brake that stopped a run, in its own words.
SELECT stopped_by FROM runs WHERE run_id = :run_id;

-- name: new_rows(kb, generation, uri)$
-- Chunks of a document that came with a generation.
SELECT count(*) FROM chunks c JOIN collections o ON o.id = c.collection_id
 WHERE o.kb = :kb AND c.uri = :uri AND c.added_in = :generation;

-- name: readers_of(kb, generation, uri)
-- Every set of groups that stands on a document's rows in a generation.
SELECT DISTINCT c.groups FROM chunks c JOIN collections o ON o.id = c.collection_id
 WHERE o.kb = :kb AND c.uri = :uri AND c.added_in <= :generation AND c.removed_in > :generation ORDER BY 1;
