-- name: count_widenings(kb, serial)$
-- Documents that a listing makes readable by a group that could not read them before.
SELECT count(*) FROM listed_documents l
  JOIN document_access a ON a.kb = :kb AND (a.source, a.uri) = (l.source, l.uri)
 WHERE l.serial = :serial AND NOT l.carried AND a.serial < l.serial AND NOT l.groups <@ a.groups;

-- name: store_access(kb, serial, capped)!
-- The listed groups become the truth, unless a newer listing spoke already; what was carried over says nothing new.
-- Capped: only where that narrows.
INSERT INTO document_access AS a (kb, source, uri, version_hint, groups, serial, applied_serial)
SELECT :kb, source, uri, version_hint, groups, serial, serial FROM listed_documents WHERE serial = :serial AND NOT carried
    ON CONFLICT (kb, source, uri) DO UPDATE
   SET version_hint = excluded.version_hint,
       groups = CASE WHEN :capped THEN groups_in_both(a.groups, excluded.groups) ELSE excluded.groups END,
       serial = excluded.serial,
       applied_serial = CASE
           WHEN a.applied_serial = a.serial AND a.groups = excluded.groups THEN excluded.serial
           ELSE a.applied_serial END
 WHERE a.serial < excluded.serial;

-- name: narrow_access(kb, source, uri, groups, serial)!
-- A document that moved leaves behind rows that only those may read who may read it at its new place.
UPDATE document_access a SET groups = groups_in_both(a.groups, :groups), serial = :serial, applied_serial = 0
 WHERE kb = :kb AND source = :source AND uri = :uri AND serial <= :serial
   AND NOT a.groups <@ :groups;

-- name: pending_access(kb)
-- Documents whose rows are behind the truth.
SELECT source, uri FROM document_access WHERE kb = :kb AND applied_serial < serial ORDER BY source, uri;

-- name: reopen_access(kb, serial)!
-- Work off again every document that was listed after that serial.
UPDATE document_access SET applied_serial = 0 WHERE kb = :kb AND serial > :serial;

-- name: reopen_access_of(kb, source, uri)!
-- Work a document off again.
UPDATE document_access SET applied_serial = 0 WHERE kb = :kb AND source = :source AND uri = :uri;

-- name: access_of(kb, source, uri)^
-- The truth about a document, and the content version that its hint is known to mean, if it is.
SELECT a.groups, a.version_hint, a.serial,
       (SELECT m.version FROM manifest m JOIN collections c ON c.id = m.collection_id
         WHERE c.kb = a.kb AND (m.source, m.uri, m.version_hint) = (a.source, a.uri, a.version_hint)
         ORDER BY m.added_in DESC LIMIT 1) AS version
  FROM document_access a
 WHERE a.kb = :kb AND a.source = :source AND a.uri = :uri;

-- name: mark_applied(kb, source, uri, serial)!
-- The rows of a document follow the truth of that serial.
UPDATE document_access SET applied_serial = :serial
 WHERE kb = :kb AND source = :source AND uri = :uri AND serial = :serial;

-- name: possible_moves(serial, collection_id, generation, most_bytes)
-- New uris, and the documents of the same sizes that are gone from the listing. Both are few, so they are found first.
-- Of a source that tells no sizes (0), nothing can be told before its documents are opened.
WITH held AS MATERIALIZED (
         SELECT source, uri, size_bytes, version FROM manifest
          WHERE collection_id = :collection_id AND added_in <= :generation AND removed_in > :generation),
     new AS MATERIALIZED (
         SELECT l.* FROM listed_documents l LEFT JOIN held USING (source, uri)
          WHERE l.serial = :serial AND l.size_bytes BETWEEN 1 AND :most_bytes AND held.uri IS NULL),
     gone AS MATERIALIZED (
         SELECT held.* FROM held
           LEFT JOIN listed_documents l ON l.serial = :serial AND (l.source, l.uri) = (held.source, held.uri)
          WHERE l.uri IS NULL),
     sizes AS (SELECT size_bytes FROM new INTERSECT SELECT size_bytes FROM gone)
SELECT false AS is_gone, source, uri, version, version_hint, groups FROM new JOIN sizes USING (size_bytes)
 UNION ALL
SELECT true, source, uri, version, NULL, NULL FROM gone JOIN sizes USING (size_bytes)
 ORDER BY source, uri;

-- name: access_of_all(kb)
-- The truth about every document, for a digest.
SELECT source, uri, groups FROM document_access WHERE kb = :kb ORDER BY source, uri;
