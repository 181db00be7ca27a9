-- name: cached_embeddings(embedder, hashes)
-- The vectors of these texts that an embedder has computed before.
SELECT text_hash, embedding::real[] AS embedding FROM embeddings WHERE embedder = :embedder AND text_hash = ANY(:hashes);

-- name: cache_embeddings*!
-- Keep vectors for the next time that the same text comes.
INSERT INTO embeddings (embedder, text_hash, embedding, plan_id)
VALUES (:embedder, :text_hash, :embedding::vector, :plan_id)
    ON CONFLICT DO NOTHING;
