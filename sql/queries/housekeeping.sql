-- name: releases_to_keep(kb, keep_releases, keep_hours, anchors)
-- Releases whose rows must stay, with their generations: the last ones that were live, those that left live a short
-- time ago, anchors, candidates that are still open with the release that each is compared with, and the running
-- canary's.
WITH lives AS (
    SELECT release, n, lead(at) OVER (ORDER BY n) AS left_at FROM events
     WHERE kb = :kb AND kind IN ('promoted', 'rolled_back')),
last_lives AS (
    SELECT release, left_at, row_number() OVER (ORDER BY n DESC) AS place
      FROM (SELECT DISTINCT ON (release) release, n, left_at FROM lives ORDER BY release, n DESC) AS newest),
open_ones AS (
    SELECT r.n, r.parent FROM releases r LEFT JOIN release_outcomes o USING (kb, n)
     WHERE r.kb = :kb AND (o.outcome IS NULL OR o.outcome = 'held'))
SELECT n, (makeup #>> '{retrieval,generation}')::int AS generation FROM releases
 WHERE kb = :kb AND (
       n IN (SELECT release FROM last_lives
              WHERE place <= :keep_releases OR left_at IS NULL
                 OR left_at > clock_timestamp() - make_interval(secs => :keep_hours * 3600))
    OR n IN (SELECT release FROM running_canaries WHERE kb = :kb)
    OR n IN (SELECT n FROM open_ones) OR n IN (SELECT parent FROM open_ones) OR n = ANY(:anchors::int[]))
 ORDER BY n;

-- name: anchoring_metrics(kb)
-- The first guards of the adapters that have had a run.
SELECT DISTINCT configuration #>> '{adapter,gate,guards,0,metric}' AS metric FROM runs
 WHERE kb = :kb AND configuration #>> '{adapter,gate,guards,0,metric}' IS NOT NULL ORDER BY 1;

-- name: mark_pruned(kb, collection_id, kept)
-- Closed generations that are about to lose a row, because no kept one sees it.
UPDATE generations g SET pruned_at = clock_timestamp()
 WHERE g.kb = :kb AND g.collection_id = :collection_id AND g.state <> 'open' AND g.pruned_at IS NULL
   AND EXISTS (SELECT FROM manifest m
                WHERE m.collection_id = :collection_id AND m.added_in <= g.generation AND m.removed_in > g.generation
                  AND NOT EXISTS (SELECT FROM unnest(:kept::int[]) AS k WHERE m.added_in <= k AND m.removed_in > k))
RETURNING g.generation;

-- name: newest_closed_generations(kb)
-- The newest closed generation of each collection that the index has.
SELECT DISTINCT ON (g.collection_id) g.collection_id, g.generation
  FROM generations g JOIN collections c ON c.id = g.collection_id AND c.dropped_at IS NULL
 WHERE g.kb = :kb AND g.state <> 'open' ORDER BY g.collection_id, g.generation DESC;

-- name: prune_listings(kb, planned)$
-- Delete what listings older than the newest whole one held, but for one that sensors compare with and those of plans
-- that are being carried out. One that never finished is left alone for a day: it may still be written. The listings
-- themselves stay, since plans name them and times are measured from their start. Gives the number of documents.
WITH pruned AS (
    UPDATE listings l SET pruned_at = clock_timestamp()
     WHERE kb = :kb AND pruned_at IS NULL AND serial IS DISTINCT FROM :planned::bigint
       AND serial < (SELECT max(serial) FROM listings
                      WHERE kb = :kb AND finished_at IS NOT NULL AND error IS NULL)
       AND (finished_at IS NOT NULL OR started_at < now() - interval '1 day')
       AND NOT EXISTS (SELECT FROM plans p JOIN generations g USING (kb, generation)
                        WHERE p.serial = l.serial AND g.state = 'open')
    RETURNING serial),
sidecars AS (DELETE FROM listed_sidecars WHERE serial IN (SELECT serial FROM pruned)),
documents AS (DELETE FROM listed_documents WHERE serial IN (SELECT serial FROM pruned) RETURNING serial)
SELECT count(*) FROM documents;

-- name: ended_entries(collection_id, generation)
-- What earlier generations held and this one does not, with the generation that removed it.
SELECT source, uri, version, version_hint, parser, chunker, size_bytes, updated_at, chunks, tokens, added_in, removed_in
  FROM manifest WHERE collection_id = :collection_id AND removed_in <= :generation;

-- name: vector_version()$
-- The version of pgvector in this database, if it is installed there.
SELECT extversion FROM pg_extension WHERE extname = 'vector';

-- name: applied_migrations()
-- The migrations that this database has. Fails where there has never been one.
SELECT migration_id AS name FROM liftgate_migrations ORDER BY 1;
