-- name: store_tuning_set(digest, kb, uri, counts, lineage, run_id)!
-- A tuning set under its digest; the same one again changes nothing.
INSERT INTO tuning_sets (digest, kb, uri, counts, lineage, run_id)
VALUES (:digest, :kb, :uri, :counts::jsonb, :lineage::jsonb, :run_id)
    ON CONFLICT (digest) DO NOTHING;

-- name: adapter_for(kb, tuning_set, base, settings)^
-- The adapter that such a training has given already.
SELECT digest, uri FROM adapters
 WHERE kb = :kb AND tuning_set = :tuning_set AND base = :base AND settings = :settings
 ORDER BY created_at DESC LIMIT 1;

-- name: register_adapter(digest, kb, name, base, tuning_set, settings, uri, manifest, run_id)!
-- An adapter under the hash of its files; the same one again changes nothing.
INSERT INTO adapters (digest, kb, name, base, tuning_set, settings, uri, manifest, run_id)
VALUES (:digest, :kb, :name, :base, :tuning_set, :settings, :uri, :manifest::jsonb, :run_id)
    ON CONFLICT (digest) DO NOTHING;

-- name: adapter(digest)^
-- One adapter.
SELECT digest, kb, name, base, tuning_set, uri, manifest, created_at FROM adapters WHERE digest = :digest;

-- name: newest_adapter(kb, name)^
-- The adapter of that name that was registered last.
SELECT digest, uri, created_at FROM adapters WHERE kb = :kb AND name = :name ORDER BY created_at DESC LIMIT 1;

-- name: adapter_verdict(kb, digest, evaluation_fingerprint)$
-- The verdict on a release with that adapter under given conditions.
SELECT v.outcome FROM verdicts v JOIN releases r ON r.kb = v.kb AND r.n = v.release
 WHERE v.kb = :kb AND v.evaluation_fingerprint = :evaluation_fingerprint
   AND r.component = 'adapter' AND r.makeup #>> '{adapter,digest}' = :digest LIMIT 1;
