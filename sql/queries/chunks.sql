-- name: upsert_chunks*!
-- Write rows of an open generation.
INSERT INTO chunks (collection_id, id, source, uri, doc_id, version, ordinal, section, text, tokens, updated_at,
                    groups, embedding, added_in, removed_in)
VALUES (:collection_id, :id, :source, :uri, :doc_id, :version, :ordinal, :section, :text, :tokens, :updated_at,
        :groups, :embedding::halfvec, :added_in, :removed_in)
    ON CONFLICT (collection_id, id) DO UPDATE
   SET section = excluded.section, text = excluded.text, tokens = excluded.tokens, groups = excluded.groups,
       embedding = excluded.embedding, updated_at = excluded.updated_at;

-- name: mark_chunks_removed(collection_id, ids, generation)!
-- Rows that are present end before that generation.
UPDATE chunks SET removed_in = :generation
 WHERE collection_id = :collection_id AND id = ANY(:ids) AND removed_in = 2147483647;

-- name: put_chunks_back(collection_id, ids, generation)!
-- Rows that were removed in that generation are present again.
UPDATE chunks SET removed_in = 2147483647
 WHERE collection_id = :collection_id AND id = ANY(:ids) AND removed_in = :generation;

-- name: delete_chunks(collection_id, ids)!
-- Delete rows for good.
DELETE FROM chunks WHERE collection_id = :collection_id AND id = ANY(:ids);

-- name: chunks_added(collection_id, sources, uris, generation)
-- Ids of the rows of some documents (two parallel lists) that were added in that generation.
SELECT id FROM chunks JOIN unnest(:sources::text[], :uris::text[]) AS of (source, uri) USING (source, uri)
 WHERE collection_id = :collection_id AND added_in = :generation;

-- name: chunk_ids(collection_id, generation)
-- Ids of every row that a generation sees.
SELECT id FROM chunks
 WHERE collection_id = :collection_id AND added_in <= :generation AND removed_in > :generation;

-- name: chunk_rows(collection_id, generation, source, uri)
-- The rows that a generation sees, of one document or (source is null) of all.
SELECT id, source, uri, doc_id, version, ordinal, section, text, tokens, updated_at, groups,
       embedding::real[] AS embedding, added_in, removed_in
  FROM chunks
 WHERE collection_id = :collection_id AND added_in <= :generation AND removed_in > :generation
   AND (:source::text IS NULL OR (source = :source AND uri = :uri))
 ORDER BY source, uri, ordinal;

-- name: set_chunk_groups(collection_id, source, uri, groups, version)!
-- Narrow every row of a document, in every generation; rows of the known version get exactly the groups.
UPDATE chunks
   SET groups = CASE WHEN version = :version::text THEN :groups ELSE groups_in_both(groups, :groups) END
 WHERE collection_id = :collection_id AND source = :source AND uri = :uri
   AND groups IS DISTINCT FROM
       CASE WHEN version = :version::text THEN :groups ELSE groups_in_both(groups, :groups) END;

-- name: wider_chunks(collection_id, allowed)
-- Documents with a row that more groups may read than are allowed for them (JSON: source, uri, groups).
SELECT DISTINCT c.source, c.uri
  FROM chunks c JOIN jsonb_to_recordset(:allowed::jsonb) AS a (source text, uri text, groups text[]) USING (source, uri)
 WHERE c.collection_id = :collection_id AND NOT c.groups <@ a.groups;

-- name: scan_iteratively(most)$
-- Let an HNSW scan go on until enough rows pass the filter; without it a small group finds nothing.
SELECT set_config('hnsw.iterative_scan', 'strict_order', true), set_config('hnsw.max_scan_tuples', :most, true);

-- name: search_chunks(collection_id, vector, k, generation, groups)
-- The nearest rows that a generation sees and one of the groups may read. DIMS stands for the collection's dimensions.
SELECT id, source, uri, doc_id, section, text, tokens,
       1 - (embedding::halfvec(DIMS) <=> :vector::halfvec(DIMS)) AS score
  FROM chunks
 WHERE collection_id = :collection_id AND added_in <= :generation AND removed_in > :generation
   AND groups && :groups::text[]
 ORDER BY embedding::halfvec(DIMS) <=> :vector::halfvec(DIMS)
 LIMIT :k;

-- name: prune_chunks(collection_id, kept)!
-- Delete the rows that none of the kept generations sees.
DELETE FROM chunks
 WHERE collection_id = :collection_id
   AND NOT EXISTS (SELECT FROM unnest(:kept::int[]) AS g WHERE added_in <= g AND removed_in > g);

-- name: chunk_texts(collection_id, ids, groups)
-- Texts of rows that one of the groups may read.
SELECT id, text FROM chunks
 WHERE collection_id = :collection_id AND id = ANY(:ids::uuid[]) AND groups && :groups::text[];
