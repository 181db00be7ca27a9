-- name: collections(kb)
-- Every collection of a knowledge base that the index has, oldest first.
SELECT id, kb, name, provider, embedder, embeddings, dims, born_generation, vector_index
  FROM collections WHERE kb = :kb AND dropped_at IS NULL ORDER BY id;

-- name: collection_names(kb)
-- Every name that a collection of a knowledge base has ever had.
SELECT name FROM collections WHERE kb = :kb;

-- name: collection(id)^
-- One collection.
SELECT id, kb, name, provider, embedder, embeddings, dims, born_generation, vector_index
  FROM collections WHERE id = :id;

-- name: add_collection(kb, name, provider, embedder, embeddings, dims, born_generation, vector_index)^
-- A new collection for an embedder that the last one does not have.
INSERT INTO collections (kb, name, provider, embedder, embeddings, dims, born_generation, vector_index)
VALUES (:kb, :name, :provider, :embedder, :embeddings::jsonb, :dims, :born_generation, :vector_index::jsonb)
RETURNING id, kb, name, provider, embedder, embeddings, dims, born_generation, vector_index;

-- name: mark_dropped(id)!
-- The index has no rows of a collection any more.
UPDATE collections SET dropped_at = clock_timestamp() WHERE id = :id;

-- name: last_closed_generation(kb)^
-- The base of the next generation.
SELECT * FROM generations WHERE kb = :kb AND state <> 'open' ORDER BY generation DESC LIMIT 1;

-- name: open_generation(kb)^
-- The generation that is being written.
SELECT * FROM generations WHERE kb = :kb AND state = 'open';

-- name: generation(kb, generation)^
-- One generation.
SELECT * FROM generations WHERE kb = :kb AND generation = :generation;

-- name: open_next_generation(kb, generation, collection_id, run_id)!
-- Open a generation, or take over the one that is open.
INSERT INTO generations (kb, generation, collection_id, state, run_id)
VALUES (:kb, :generation, :collection_id, 'open', :run_id)
    ON CONFLICT (kb, generation) DO UPDATE
   SET collection_id = excluded.collection_id, run_id = excluded.run_id
 WHERE generations.state = 'open';

-- name: close_generation(kb, generation, state, digest, counts)!
-- A closed generation is never written again.
UPDATE generations SET state = :state, digest = :digest, counts = :counts::jsonb, closed_at = clock_timestamp()
 WHERE kb = :kb AND generation = :generation AND state = 'open';
