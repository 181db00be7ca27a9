-- name: start_listing(kb, run_id)$
-- Draw the serial of a listing that starts now.
INSERT INTO listings (kb, run_id) VALUES (:kb, :run_id) RETURNING serial;

-- name: add_listed_documents*!
-- Write down what a source holds.
INSERT INTO listed_documents
       (serial, source, uri, version_hint, size_bytes, updated_at, groups, undecided, source_groups)
VALUES (:serial, :source, :uri, :version_hint, :size_bytes, :updated_at, :groups, :undecided, :source_groups);

-- name: finish_listing(serial, error)!
-- The listing ended; with an error if it broke off.
UPDATE listings SET finished_at = now(), error = :error WHERE serial = :serial;

-- name: keep_known_versions(kb, serial)!
-- Take over the content hashes that an earlier listing learnt of the same versions, so that nothing is opened twice.
UPDATE listed_documents new SET version = old.version
  FROM listed_documents old
  JOIN listings l ON l.serial = old.serial AND l.kb = :kb
 WHERE new.serial = :serial AND old.serial < :serial AND old.version IS NOT NULL
   AND (old.source, old.uri, old.version_hint) = (new.source, new.uri, new.version_hint);

-- name: count_listed(serial)$
-- How many documents a listing holds.
SELECT count(*) FROM listed_documents WHERE serial = :serial;

-- name: newest_listing(kb, run_id)^
-- The newest listing of a run.
SELECT serial, started_at, error, widenings, widening_capped, pruned_at FROM listings
 WHERE kb = :kb AND run_id = :run_id ORDER BY serial DESC LIMIT 1;

-- name: note_widenings(serial, widenings, capped)!
-- How many documents became readable by more groups, and whether that was held back.
UPDATE listings SET widenings = :widenings, widening_capped = :capped WHERE serial = :serial;

-- name: note_version(serial, source, uri, version)!
-- Keep the content hash of a document that had to be opened before planning.
UPDATE listed_documents SET version = :version, opened = true WHERE serial = :serial AND source = :source AND uri = :uri;

-- name: newest_whole_listing(kb)$
-- The newest listing of a knowledge base that did not break off. Nobody prunes it before the transaction ends.
SELECT serial FROM listings
 WHERE kb = :kb AND finished_at IS NOT NULL AND error IS NULL AND pruned_at IS NULL
 ORDER BY serial DESC LIMIT 1 FOR SHARE;

-- name: newest_planned_listing(kb)$
-- The newest listing of everything from which a plan was made: it did not break off, and no brake stopped its run.
SELECT max(p.serial) FROM plans p JOIN runs r USING (kb, run_id)
 WHERE p.kb = :kb AND r.scope ->> 'kind' = 'whole' AND r.stopped_by IS NULL;

-- name: carry_documents(serial, last, sources, uris)!
-- Take over the documents of an earlier listing, but those that are named.
INSERT INTO listed_documents
       (serial, source, uri, version_hint, size_bytes, updated_at, groups, undecided, source_groups, version, carried)
SELECT :serial, source, uri, version_hint, size_bytes, updated_at, groups, undecided, source_groups, version, true
  FROM listed_documents l
 WHERE serial = :last
   AND NOT EXISTS (SELECT FROM unnest(:sources::text[], :uris::text[]) AS n (source, uri)
                    WHERE (n.source, n.uri) = (l.source, l.uri));

-- name: carry_sidecars(serial, last, sources, uris)!
-- The same for the files that say who may read a document.
INSERT INTO listed_sidecars (serial, source, uri, version_hint, size_bytes)
SELECT :serial, source, uri, version_hint, size_bytes FROM listed_sidecars l
 WHERE serial = :last
   AND NOT EXISTS (SELECT FROM unnest(:sources::text[], :uris::text[]) AS n (source, uri)
                    WHERE (n.source, n.uri) = (l.source, l.uri));

-- name: listed_versions(serial, sources)
-- Versions and groups of the documents of some sources, as their sources listed them, and versions of sidecars.
SELECT source, uri, version_hint, CASE WHEN undecided THEN coalesce(source_groups, '{}') ELSE groups END AS groups
  FROM listed_documents WHERE serial = :serial AND source = ANY(:sources)
 UNION ALL
SELECT source, uri, version_hint, '{}' FROM listed_sidecars WHERE serial = :serial AND source = ANY(:sources);
