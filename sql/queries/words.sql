-- name: add_listed_sidecars*!
-- Write down a file that says who may read the document beside it.
INSERT INTO listed_sidecars (serial, source, uri, version_hint, size_bytes)
VALUES (:serial, :source, :uri, :version_hint, :size_bytes);

-- name: forget_documents*!
-- As if they had not been listed, so that their access stays as it is.
DELETE FROM listed_documents WHERE serial = :serial AND source = :source AND uri = :uri;

-- name: unknown_words(kb, serial, reading, endings, after_source, after_uri, most)
-- Sidecars, and undecided documents with one of these endings, in versions that nobody has read so for their groups.
SELECT asked.* FROM (
    SELECT source, uri, version_hint, size_bytes, true AS sidecar FROM listed_sidecars WHERE serial = :serial
     UNION ALL
    SELECT source, uri, version_hint, size_bytes, false FROM listed_documents
     WHERE serial = :serial AND undecided AND lower(uri) LIKE ANY(:endings)) asked
  LEFT JOIN said_groups said ON said.kb = :kb AND said.reading = :reading
        AND (said.source, said.uri, said.version_hint) = (asked.source, asked.uri, asked.version_hint)
 WHERE said.uri IS NULL AND (asked.source, asked.uri) > (:after_source, :after_uri)
 ORDER BY asked.source, asked.uri LIMIT :most;

-- name: remember_words*!
-- What a version of a document or sidecar says.
INSERT INTO said_groups (kb, source, uri, version_hint, reading, groups, problem)
VALUES (:kb, :source, :uri, :version_hint, :reading, :groups, :problem)
    ON CONFLICT (kb, source, uri) DO UPDATE
   SET version_hint = excluded.version_hint, reading = excluded.reading, groups = excluded.groups,
       problem = excluded.problem;

-- name: sidecar_suffixes(serial)
-- How the sidecars of a listing end, in the spellings that occur.
SELECT DISTINCT substring(uri FROM '(?i)\.access\.ya?ml$') AS suffix FROM listed_sidecars WHERE serial = :serial;

-- name: lonely_sidecars(serial)^
-- How many sidecars are of no listed document, and the first of them.
SELECT count(*) AS sidecars, min(s.uri) AS first FROM listed_sidecars s
 WHERE s.serial = :serial AND NOT EXISTS (
       SELECT FROM listed_documents d WHERE d.serial = s.serial
          AND (d.source, d.uri) = (s.source, regexp_replace(s.uri, '(?i)\.access\.ya?ml$', '')));

-- name: undecided_documents(kb, serial, reading, suffixes, after_source, after_uri, most)
-- Undecided documents with what they and their sidecars say; `..._known` is false where nobody could find out.
SELECT d.source, d.uri, d.source_groups, s.sidecars,
       beside.uri IS NOT NULL AS sidecar_known, beside.groups AS sidecar_groups, beside.problem AS sidecar_problem,
       own.uri IS NOT NULL AS own_known, own.groups AS own_groups, own.problem AS own_problem
  FROM listed_documents d
 CROSS JOIN LATERAL (SELECT count(*) AS sidecars, min(l.uri) AS uri, min(l.version_hint) AS version_hint
                       FROM unnest(:suffixes::text[]) AS suffix
                       JOIN listed_sidecars l ON l.serial = d.serial
                            AND (l.source, l.uri) = (d.source, d.uri || suffix)) s
  LEFT JOIN said_groups beside ON beside.kb = :kb AND beside.reading = :reading
        AND (beside.source, beside.uri, beside.version_hint) = (d.source, s.uri, s.version_hint)
  LEFT JOIN said_groups own ON own.kb = :kb AND own.reading = :reading
        AND (own.source, own.uri, own.version_hint) = (d.source, d.uri, d.version_hint)
 WHERE d.serial = :serial AND d.undecided AND (d.source, d.uri) > (:after_source, :after_uri)
 ORDER BY d.source, d.uri LIMIT :most;

-- name: decide_groups*!
-- The groups of an undecided document.
UPDATE listed_documents SET groups = :groups WHERE serial = :serial AND source = :source AND uri = :uri;

-- name: forget_words_of_gone(kb, serial)!
-- What is not listed any more says nothing.
DELETE FROM said_groups said WHERE kb = :kb
   AND NOT EXISTS (SELECT FROM listed_documents l
                    WHERE l.serial = :serial AND (l.source, l.uri) = (said.source, said.uri))
   AND NOT EXISTS (SELECT FROM listed_sidecars l
                    WHERE l.serial = :serial AND (l.source, l.uri) = (said.source, said.uri));

-- name: copy_words(kb, of)!
-- Let a dry run know what documents said, without touching what runs know.
INSERT INTO said_groups (kb, source, uri, version_hint, reading, groups, problem)
SELECT :kb, source, uri, version_hint, reading, groups, problem FROM said_groups WHERE kb = :of;

-- name: forget_asides(prefix, kb)!
-- Delete what a dry run (kb null: none) wrote down, and what others left behind that were killed on the day before or
-- earlier. Words without a listing are nobody's: both are begun in one transaction.
WITH gone AS (
    DELETE FROM listings
     WHERE kb = :kb OR (starts_with(kb, :prefix) AND started_at < now() - interval '1 day')
    RETURNING kb)
DELETE FROM said_groups
 WHERE kb = :kb OR kb IN (SELECT kb FROM gone)
    OR (starts_with(kb, :prefix) AND NOT EXISTS (SELECT FROM listings l WHERE l.kb = said_groups.kb));
