-- Adapters say what they came from. What the trainer's manifest holds is read out of it, for older adapters too.

ALTER TABLE tuning_sets ADD COLUMN dataset_revision text;
COMMENT ON COLUMN tuning_sets.dataset_revision IS
    'What an outside tool calls the examples (a commit of lakeFS, a revision of DVC): a note, part of no hash.';

ALTER TABLE adapters ADD COLUMN release integer;
COMMENT ON COLUMN adapters.release IS 'The release whose index and prompt the tuning set was built with.';
ALTER TABLE adapters ADD COLUMN prompt text;
COMMENT ON COLUMN adapters.prompt IS 'Version of that release''s prompt.';
ALTER TABLE adapters ADD COLUMN dataset_revision text;
COMMENT ON COLUMN adapters.dataset_revision IS 'As in tuning_sets, when the adapter was registered.';
ALTER TABLE adapters ADD COLUMN job_uid text;
COMMENT ON COLUMN adapters.job_uid IS 'The uid that the orchestrator gave the job; null where none did.';

ALTER TABLE adapters ADD COLUMN job text GENERATED ALWAYS AS (manifest ->> 'job') STORED;
COMMENT ON COLUMN adapters.job IS 'The job that wrote the adapter: namespace/name.';
ALTER TABLE adapters ADD COLUMN base_revision text
    GENERATED ALWAYS AS (manifest #>> '{base_model,revision}') STORED;
ALTER TABLE adapters ADD COLUMN tokenizer_sha256 text
    GENERATED ALWAYS AS (manifest #>> '{tokenizer,sha256}') STORED;
ALTER TABLE adapters ADD COLUMN chat_template_sha256 text
    GENERATED ALWAYS AS (manifest #>> '{tokenizer,chat_template_sha256}') STORED;
CREATE INDEX adapters_of_a_knowledge_base ON adapters (kb, created_at);
