-- Collections remember how their index was made, and applications in any language can ask what is live.

ALTER TABLE collections ADD COLUMN vector_index jsonb NOT NULL DEFAULT '{}';
COMMENT ON COLUMN collections.vector_index IS 'The settings of the index, as they were when the collection was born.';

ALTER TABLE collections ADD COLUMN dropped_at timestamptz;
COMMENT ON COLUMN collections.dropped_at IS 'Since when the index has no rows of it, and nobody looks for them.';

CREATE OR REPLACE VIEW live_releases AS
SELECT DISTINCT ON (e.kb)
       e.kb, r.n, r.makeup, r.fingerprint, e.at AS live_since, e.run_id,
       r.makeup #>> '{retrieval,collection}' AS collection,
       (r.makeup #>> '{retrieval,generation}')::integer AS generation
  FROM events e
  JOIN releases r ON r.kb = e.kb AND r.n = e.release
 WHERE e.kind IN ('promoted', 'rolled_back')
 ORDER BY e.kb, e.n DESC;
COMMENT ON VIEW live_releases IS
    'What is live now. Readers of the index keep to rows of that collection with added_in <= generation < removed_in.';
