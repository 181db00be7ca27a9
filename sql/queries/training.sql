-- name: store_tuning_set(digest, kb, uri, counts, lineage, dataset_revision, run_id)!
-- A tuning set under its digest; the same one again changes nothing.
INSERT INTO tuning_sets (digest, kb, uri, counts, lineage, dataset_revision, run_id)
VALUES (:digest, :kb, :uri, :counts::jsonb, :lineage::jsonb, :dataset_revision, :run_id)
    ON CONFLICT (digest) DO NOTHING;

-- name: release_of_tuning_set(digest)$
-- The release whose index gave the contexts of a tuning set, or NULL.
SELECT (counts ->> 'release')::int FROM tuning_sets WHERE digest = :digest;

-- name: tuning_set_uri(digest)$
-- Where a tuning set lies.
SELECT uri FROM tuning_sets WHERE digest = :digest;

-- name: adapter_for(kb, tuning_set, base, settings)^
-- The adapter that such a training has given already.
SELECT digest, uri FROM adapters
 WHERE kb = :kb AND tuning_set = :tuning_set AND base = :base AND settings = :settings
 ORDER BY created_at DESC LIMIT 1;

-- name: register_adapter(digest, kb, name, base, tuning_set, settings, uri, manifest, job_uid, dataset_revision, run_id)!
-- An adapter under the hash of its files, with the release that its tuning set was built with; the same one again
-- changes nothing.
INSERT INTO adapters (digest, kb, name, base, tuning_set, settings, uri, manifest, job_uid, dataset_revision, run_id,
                      release, prompt)
SELECT :digest, :kb, :name, :base, t.digest, :settings, :uri, :manifest::jsonb, :job_uid, :dataset_revision, :run_id,
       r.n, r.makeup #>> '{prompt,version}'
  FROM tuning_sets t LEFT JOIN releases r ON r.kb = t.kb AND r.n = (t.counts ->> 'release')::int
 WHERE t.digest = :tuning_set
    ON CONFLICT (digest) DO NOTHING;

-- name: adapter(digest)^
-- One adapter.
SELECT digest, kb, name, base, tuning_set, uri, manifest, created_at FROM adapters WHERE digest = :digest;

-- name: adapters(kb, digest_begins)
-- Every adapter of a knowledge base with what it came from and its newest verdict, oldest first.
SELECT a.digest, a.kb, a.name, a.base, a.base_revision, a.tokenizer_sha256, a.chat_template_sha256, a.tuning_set,
       a.dataset_revision, a.release, a.prompt, a.job, a.job_uid, a.settings, a.uri, a.manifest, a.run_id,
       a.created_at, t.counts, v.outcome AS verdict, v.release AS judged_as,
       a.digest IS NOT DISTINCT FROM l.makeup #>> '{adapter,digest}' AS live
  FROM adapters a
  JOIN tuning_sets t ON t.digest = a.tuning_set
  LEFT JOIN live_releases l ON l.kb = a.kb
  LEFT JOIN LATERAL (SELECT v.outcome, v.release FROM verdicts v JOIN releases r ON r.kb = v.kb AND r.n = v.release
                      WHERE v.kb = a.kb AND r.component = 'adapter' AND r.makeup #>> '{adapter,digest}' = a.digest
                      ORDER BY v.n DESC LIMIT 1) v ON true
 WHERE a.kb = :kb AND starts_with(a.digest, :digest_begins) ORDER BY a.created_at, a.digest;

-- name: newest_adapter(kb, name)^
-- The adapter of that name that was registered last.
SELECT digest, uri, created_at FROM adapters WHERE kb = :kb AND name = :name ORDER BY created_at DESC LIMIT 1;

-- name: adapter_verdict(kb, digest, evaluation_fingerprint)$
-- The verdict on a release with that adapter under given conditions.
SELECT v.outcome FROM verdicts v JOIN releases r ON r.kb = v.kb AND r.n = v.release
 WHERE v.kb = :kb AND v.evaluation_fingerprint = :evaluation_fingerprint
   AND r.component = 'adapter' AND r.makeup #>> '{adapter,digest}' = :digest LIMIT 1;
