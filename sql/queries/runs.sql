-- name: store_run(run_id, kb, configuration, scope, allowances)!
-- Freeze what a run works with. Clearing the first task freezes it again.
INSERT INTO runs (run_id, kb, configuration, scope, allowances)
VALUES (:run_id, :kb, :configuration::jsonb, :scope::jsonb, :allowances::jsonb)
    ON CONFLICT (run_id) DO UPDATE
   SET configuration = excluded.configuration, scope = excluded.scope, allowances = excluded.allowances,
       frozen_at = now(), stopped_by = NULL;

-- name: run(run_id)^
-- What a run works with.
SELECT kb, configuration, scope, allowances FROM runs WHERE run_id = :run_id;

-- name: last_configuration(kb)$
-- What the newest run of a knowledge base works with.
SELECT configuration FROM runs WHERE kb = :kb ORDER BY frozen_at DESC LIMIT 1;

-- name: note_stopped_by(run_id, reason)!
-- Keep the brake that stopped a run, for those who look later.
UPDATE runs SET stopped_by = :reason WHERE run_id = :run_id;
