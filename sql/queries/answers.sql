-- name: known_answers(keys)
-- Answers that were generated before.
SELECT key, text FROM answers WHERE key = ANY(:keys);

-- name: store_answers*!
-- Keep answers under all that they depend on.
INSERT INTO answers (key, text, tokens, finish) VALUES (:id, :text, :tokens, :finish) ON CONFLICT DO NOTHING;
