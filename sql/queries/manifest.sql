-- name: manifest_entries(collection_id, generation)
-- What a generation holds.
SELECT source, uri, version, version_hint, parser, chunker, size_bytes, updated_at, chunks, tokens, added_in
  FROM manifest
 WHERE collection_id = :collection_id AND added_in <= :generation AND removed_in > :generation
 ORDER BY source, uri;

-- name: manifest_entry(collection_id, generation, source, uri)^
-- One document in a generation.
SELECT source, uri, version, version_hint, parser, chunker, size_bytes, updated_at, chunks, tokens, added_in
  FROM manifest
 WHERE collection_id = :collection_id AND source = :source AND uri = :uri
   AND added_in <= :generation AND removed_in > :generation;

-- name: manifest_twin(collection_id, generation, version, parser, chunker)^
-- Any document of that content, of this generation or an earlier one, whose chunks can be taken over.
SELECT source, uri, version, version_hint, parser, chunker, size_bytes, updated_at, chunks, tokens, added_in
  FROM manifest
 WHERE collection_id = :collection_id AND version = :version AND parser = :parser AND chunker = :chunker
   AND added_in <= :generation
 ORDER BY added_in DESC, source, uri LIMIT 1;

-- name: undo_manifest(collection_id, generation, source, uri)!
-- Take back what an open generation changed about a document.
WITH added AS (
    DELETE FROM manifest WHERE collection_id = :collection_id AND source = :source AND uri = :uri
                           AND added_in = :generation)
UPDATE manifest SET removed_in = 2147483647
 WHERE collection_id = :collection_id AND source = :source AND uri = :uri AND removed_in = :generation;

-- name: mark_manifest_removed(collection_id, generation, source, uri)!
-- An open generation does not hold the document any more.
UPDATE manifest SET removed_in = :generation
 WHERE collection_id = :collection_id AND source = :source AND uri = :uri
   AND removed_in = 2147483647 AND added_in < :generation;

-- name: add_manifest_entry(collection_id, source, uri, version, version_hint, parser, chunker, size_bytes, updated_at, chunks, tokens, added_in)!
-- An open generation holds the document in this version.
INSERT INTO manifest (collection_id, source, uri, version, version_hint, parser, chunker, size_bytes, updated_at,
                      chunks, tokens, added_in)
VALUES (:collection_id, :source, :uri, :version, :version_hint, :parser, :chunker, :size_bytes, :updated_at,
        :chunks, :tokens, :added_in);

-- name: touch_manifest(collection_id, source, uri, version_hint, size_bytes, updated_at)!
-- The content stayed the same under a new version hint.
UPDATE manifest SET version_hint = :version_hint, size_bytes = :size_bytes, updated_at = :updated_at
 WHERE collection_id = :collection_id AND source = :source AND uri = :uri AND removed_in = 2147483647;

-- name: changed_documents(collection_id, generation)
-- Documents that a generation adds or removes something of.
SELECT DISTINCT source, uri FROM manifest
 WHERE collection_id = :collection_id AND (added_in = :generation OR removed_in = :generation)
 ORDER BY source, uri;

-- name: prune_manifest(collection_id, kept)!
-- Delete the entries that none of the kept generations sees.
DELETE FROM manifest
 WHERE collection_id = :collection_id
   AND NOT EXISTS (SELECT FROM unnest(:kept::int[]) AS g WHERE added_in <= g AND removed_in > g);
