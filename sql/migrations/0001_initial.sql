-- The first schema: access, listings, plans, generations, the pgvector index, evidence, and the ledger.
-- Every table is scoped by `kb`, the name of a knowledge base.

CREATE EXTENSION IF NOT EXISTS vector;

-- Runs ---------------------------------------------------------------------------------------------------

CREATE TABLE runs (
    run_id        text        PRIMARY KEY,
    kb            text        NOT NULL,
    configuration jsonb       NOT NULL,
    scope         jsonb       NOT NULL,
    allowances    jsonb       NOT NULL,
    frozen_at     timestamptz NOT NULL DEFAULT now(),
    stopped_by    text
);
COMMENT ON TABLE runs IS 'What a run works with: its configuration, frozen by its first task.';
COMMENT ON COLUMN runs.run_id IS 'The DAG and its run, as in kb_handbook:scheduled__2026-01-01T02:00:00+00:00.';

CREATE TABLE turns (
    kb         text        PRIMARY KEY,
    holder     text,
    fence      bigint      NOT NULL DEFAULT 0,
    expires_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE turns IS 'The lease of the one writer. The fence grows at every acquisition and every plan.';

CREATE TABLE turn_queue (
    kb            text        NOT NULL,
    run_id        text        NOT NULL,
    backfill_from timestamptz,
    asked_at      timestamptz NOT NULL DEFAULT now(),
    seen_at       timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (kb, run_id)
);

-- Sources and access -------------------------------------------------------------------------------------

CREATE TABLE listings (
    serial          bigint      PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    kb              text        NOT NULL,
    run_id          text        NOT NULL,
    started_at      timestamptz NOT NULL DEFAULT now(),
    finished_at     timestamptz,
    error           text,
    widenings       integer,
    widening_capped boolean     NOT NULL DEFAULT false
);
COMMENT ON COLUMN listings.serial IS 'Drawn when the listing starts, so that a late one cannot undo a newer revocation.';
CREATE INDEX listings_of_a_run ON listings (kb, run_id, serial);

CREATE TABLE listed_documents (
    serial       bigint      NOT NULL REFERENCES listings ON DELETE CASCADE,
    source       text        NOT NULL,
    uri          text        NOT NULL,
    version_hint text        NOT NULL,
    size_bytes   bigint      NOT NULL,
    updated_at   timestamptz NOT NULL,
    groups       text[]      NOT NULL,
    version      text,
    opened       boolean      NOT NULL DEFAULT false,
    PRIMARY KEY (serial, source, uri)
);
COMMENT ON COLUMN listed_documents.version IS 'Content hash, where this listing or an earlier one had to open the document to settle a move.';

CREATE TABLE document_access (
    kb             text   NOT NULL,
    source         text   NOT NULL,
    uri            text   NOT NULL,
    version_hint   text   NOT NULL,
    groups         text[] NOT NULL,
    serial         bigint NOT NULL,
    applied_serial bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (kb, source, uri)
);
COMMENT ON TABLE document_access IS 'The truth about who may read a document. Never versioned, never rolled back.';
CREATE INDEX access_to_apply ON document_access (kb) WHERE applied_serial < serial;

CREATE FUNCTION groups_in_both(text[], text[]) RETURNS text[] LANGUAGE sql IMMUTABLE AS $$
    SELECT ARRAY(SELECT unnest($1) INTERSECT SELECT unnest($2) ORDER BY 1)
$$;

CREATE TABLE quarantine (
    kb           text        NOT NULL,
    source       text        NOT NULL,
    uri          text        NOT NULL,
    kind         text        NOT NULL CHECK (kind IN ('read', 'parse')),
    version_hint text        NOT NULL,
    parser       text        NOT NULL,
    reason       text        NOT NULL,
    run_id       text        NOT NULL,
    since        timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (kb, source, uri)
);

-- Generations and plans ----------------------------------------------------------------------------------

CREATE TABLE collections (
    id              integer     PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    kb              text        NOT NULL,
    name            text        NOT NULL UNIQUE,
    provider        text        NOT NULL,
    embedder        text        NOT NULL,
    embeddings      jsonb       NOT NULL,
    dims            integer     NOT NULL,
    born_generation integer     NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT now()
);
COMMENT ON COLUMN collections.embedder IS 'Fingerprint; `embeddings` holds the settings that made it, to embed questions.';

CREATE TABLE generations (
    kb            text        NOT NULL,
    generation    integer     NOT NULL,
    collection_id integer     NOT NULL REFERENCES collections,
    state         text        NOT NULL CHECK (state IN ('open', 'closed', 'empty')),
    run_id        text        NOT NULL,
    digest        text,
    counts        jsonb       NOT NULL DEFAULT '{}',
    opened_at     timestamptz NOT NULL DEFAULT now(),
    closed_at     timestamptz,
    pruned_at     timestamptz,
    PRIMARY KEY (kb, generation)
);
COMMENT ON COLUMN generations.digest IS 'Hash of the manifest contents and fingerprints, without any numbers.';
CREATE UNIQUE INDEX one_open_generation ON generations (kb) WHERE state = 'open';

CREATE TABLE plans (
    id         bigint      PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    kb         text        NOT NULL,
    run_id     text        NOT NULL,
    kind       text        NOT NULL CHECK (kind IN ('index', 'verify', 'nothing')),
    generation integer     NOT NULL,
    serial     bigint      NOT NULL REFERENCES listings,
    fence      bigint      NOT NULL,
    counts     jsonb       NOT NULL,
    planned_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON COLUMN plans.generation IS 'The generation that it writes, or (verify, nothing) the last closed one.';
CREATE INDEX plans_of_a_run ON plans (kb, run_id, id);

CREATE TABLE plan_items (
    plan_id bigint  NOT NULL REFERENCES plans ON DELETE CASCADE,
    batch   integer NOT NULL,
    source  text    NOT NULL,
    uri     text    NOT NULL,
    action  text    NOT NULL CHECK (action IN ('open', 'remove', 'restore')),
    outcome jsonb,
    PRIMARY KEY (plan_id, source, uri)
);

CREATE TABLE manifest (
    collection_id integer     NOT NULL REFERENCES collections,
    source        text        NOT NULL,
    uri           text        NOT NULL,
    version       text        NOT NULL,
    version_hint  text        NOT NULL,
    parser        text        NOT NULL,
    chunker       text        NOT NULL,
    size_bytes    bigint      NOT NULL,
    updated_at    timestamptz NOT NULL,
    chunks        integer     NOT NULL,
    tokens        integer     NOT NULL,
    added_in      integer     NOT NULL,
    removed_in    integer     NOT NULL DEFAULT 2147483647,
    PRIMARY KEY (collection_id, source, uri, added_in)
);
COMMENT ON TABLE manifest IS 'Generation g holds an entry when added_in <= g < removed_in.';
CREATE INDEX manifest_by_version ON manifest (collection_id, version);

-- The index on pgvector ----------------------------------------------------------------------------------

CREATE TABLE chunks (
    collection_id integer     NOT NULL,
    id            uuid        NOT NULL,
    source        text        NOT NULL,
    uri           text        NOT NULL,
    doc_id        text        NOT NULL,
    version       text        NOT NULL,
    ordinal       integer     NOT NULL,
    section       text        NOT NULL,
    text          text        NOT NULL,
    tokens        integer     NOT NULL,
    updated_at    timestamptz NOT NULL,
    groups        text[]      NOT NULL,
    embedding     halfvec     NOT NULL,
    added_in      integer     NOT NULL,
    removed_in    integer     NOT NULL DEFAULT 2147483647,
    PRIMARY KEY (collection_id, id)
) PARTITION BY LIST (collection_id);
COMMENT ON TABLE chunks IS 'One partition for each collection, with an HNSW index for its number of dimensions.';
CREATE INDEX chunks_of_a_document ON chunks (collection_id, source, uri);

CREATE TABLE embeddings (
    embedder  text   NOT NULL,
    text_hash text   NOT NULL,
    embedding vector NOT NULL,
    plan_id   bigint REFERENCES plans ON DELETE SET NULL,
    PRIMARY KEY (embedder, text_hash)
);
CREATE INDEX embeddings_of_a_plan ON embeddings (plan_id);
COMMENT ON TABLE embeddings IS 'A move, a rename or a way back costs no embedding.';
COMMENT ON COLUMN embeddings.plan_id IS 'The plan that had to embed the text; null for questions.';

-- Training and answers -----------------------------------------------------------------------------------

CREATE TABLE tuning_sets (
    digest     text        PRIMARY KEY,
    kb         text        NOT NULL,
    uri        text        NOT NULL,
    counts     jsonb       NOT NULL,
    lineage    jsonb       NOT NULL,
    run_id     text        NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE adapters (
    digest     text        PRIMARY KEY,
    kb         text        NOT NULL,
    name       text        NOT NULL,
    base       text        NOT NULL,
    tuning_set text        NOT NULL REFERENCES tuning_sets,
    settings   text        NOT NULL,
    uri        text        NOT NULL,
    manifest   jsonb       NOT NULL,
    run_id     text        NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON COLUMN adapters.settings IS 'Fingerprint of the training settings: with base and tuning set it says whether training is due.';

CREATE TABLE answers (
    key         text        PRIMARY KEY,
    text        text        NOT NULL,
    tokens      integer     NOT NULL,
    finish      text        NOT NULL,
    answered_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON COLUMN answers.key IS 'Hash of context, question, prompt, base, adapter and decoding: never generated twice.';

-- Evidence -----------------------------------------------------------------------------------------------

CREATE TABLE validations (
    kb           text        NOT NULL,
    subject      text        NOT NULL,
    passed       boolean     NOT NULL,
    report       jsonb       NOT NULL,
    run_id       text        NOT NULL,
    validated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (kb, subject)
);
COMMENT ON COLUMN validations.subject IS 'Digest of the generation or of the tuning set that a suite ran over.';

CREATE TABLE plain_quotes (
    version text    NOT NULL,
    quote   text    NOT NULL,
    stands  boolean NOT NULL,
    PRIMARY KEY (version, quote)
);
COMMENT ON TABLE plain_quotes IS 'Whether a golden question''s quote stands in a version of a document, so that none is opened twice.';

CREATE TABLE evaluations (
    id                    bigint      PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    kb                    text        NOT NULL,
    release               integer     NOT NULL,
    run_id                text        NOT NULL,
    candidate_fingerprint text        NOT NULL,
    evaluation_fingerprint text       NOT NULL,
    comparison            jsonb       NOT NULL,
    started_at            timestamptz NOT NULL DEFAULT now(),
    UNIQUE (kb, candidate_fingerprint, evaluation_fingerprint)
);

CREATE TABLE evidence (
    evaluation_id bigint NOT NULL REFERENCES evaluations ON DELETE CASCADE,
    side          text   NOT NULL,
    question      text   NOT NULL,
    family        text   NOT NULL,
    metric        text   NOT NULL,
    value         double precision,
    slices        text[] NOT NULL,
    PRIMARY KEY (evaluation_id, side, question, metric)
);

-- The ledger ---------------------------------------------------------------------------------------------

CREATE TABLE releases (
    kb          text        NOT NULL,
    n           integer     NOT NULL,
    component   text        NOT NULL CHECK (component IN ('retrieval', 'prompt', 'adapter')),
    makeup      jsonb       NOT NULL,
    fingerprint text        NOT NULL,
    parent      integer,
    run_id      text        NOT NULL,
    unjudged    boolean     NOT NULL DEFAULT false,
    created_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (kb, n)
);

CREATE TABLE verdicts (
    kb                     text        NOT NULL,
    n                      integer     NOT NULL,
    release                integer     NOT NULL,
    candidate_fingerprint  text        NOT NULL,
    evaluation_fingerprint text        NOT NULL,
    evaluation_id          bigint      NOT NULL REFERENCES evaluations,
    outcome                text        NOT NULL CHECK (outcome IN ('promote', 'reject', 'inconclusive')),
    verdict                jsonb       NOT NULL,
    run_id                 text        NOT NULL,
    decided_at             timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (kb, n),
    UNIQUE (kb, candidate_fingerprint, evaluation_fingerprint),
    FOREIGN KEY (kb, release) REFERENCES releases
);

CREATE TABLE events (
    kb      text        NOT NULL,
    n       integer     NOT NULL,
    kind    text        NOT NULL CHECK (kind IN (
                'proposed', 'evaluated', 'approved', 'overridden', 'canary_started', 'promoted', 'rejected',
                'held', 'superseded', 'rolled_back', 'hold_set', 'hold_lifted')),
    release integer,
    details jsonb       NOT NULL DEFAULT '{}',
    at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    by_whom text        NOT NULL,
    run_id  text        NOT NULL,
    why     text        NOT NULL,
    PRIMARY KEY (kb, n),
    FOREIGN KEY (kb, release) REFERENCES releases
);

CREATE FUNCTION refuse_to_change_history() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'Expected % to be append-only, found %. Write a new event instead.', TG_TABLE_NAME, TG_OP;
END
$$;

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON releases
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_to_change_history();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON verdicts
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_to_change_history();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON events
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_to_change_history();

CREATE VIEW live_releases AS
SELECT DISTINCT ON (e.kb)
       e.kb, r.n, r.makeup, r.fingerprint, e.at AS live_since, e.run_id
  FROM events e
  JOIN releases r ON r.kb = e.kb AND r.n = e.release
 WHERE e.kind IN ('promoted', 'rolled_back')
 ORDER BY e.kb, e.n DESC;
COMMENT ON VIEW live_releases IS 'What is live now: the release of the last promotion or rollback.';

CREATE VIEW promotion_holds AS
SELECT last.kb, last.at AS since, last.by_whom, last.why, last.details
  FROM (SELECT DISTINCT ON (kb) * FROM events WHERE kind IN ('hold_set', 'hold_lifted') ORDER BY kb, n DESC) last
 WHERE last.kind = 'hold_set';
COMMENT ON VIEW promotion_holds IS 'Knowledge bases in which nothing is promoted until somebody resumes.';

CREATE VIEW release_outcomes AS
SELECT DISTINCT ON (e.kb, e.release)
       e.kb, e.release AS n, e.kind AS outcome, e.at, e.by_whom, e.why
  FROM events e
 WHERE e.kind IN ('promoted', 'rejected', 'held', 'superseded', 'rolled_back')
 ORDER BY e.kb, e.release, e.n DESC;
COMMENT ON VIEW release_outcomes IS 'What became of each release, by its last outcome.';
