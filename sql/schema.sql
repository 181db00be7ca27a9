-- What the migrations make, applied in order: a picture for readers, never run. A test holds it true.
-- Written anew by: LIFTGATE_REBUILD_EXPECTED=1 python -m pytest tests/liftgate/test_schema.py

CREATE EXTENSION IF NOT EXISTS vector WITH SCHEMA public;

COMMENT ON EXTENSION vector IS 'vector data type and ivfflat and hnsw access methods';

CREATE FUNCTION public.groups_in_both(text[], text[]) RETURNS text[]
    LANGUAGE sql IMMUTABLE
    AS $_$
    SELECT ARRAY(SELECT unnest($1) INTERSECT SELECT unnest($2) ORDER BY 1)
$_$;

CREATE FUNCTION public.refuse_to_change_history() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    RAISE EXCEPTION 'Expected % to be append-only, found %. Write a new event instead.', TG_TABLE_NAME, TG_OP;

END
$$;

CREATE TABLE public.adapters (
    digest text NOT NULL,
    kb text NOT NULL,
    name text NOT NULL,
    base text NOT NULL,
    tuning_set text NOT NULL,
    settings text NOT NULL,
    uri text NOT NULL,
    manifest jsonb NOT NULL,
    run_id text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    release integer,
    prompt text,
    dataset_revision text,
    job_uid text,
    job text GENERATED ALWAYS AS ((manifest ->> 'job'::text)) STORED,
    base_revision text GENERATED ALWAYS AS ((manifest #>> '{base_model,revision}'::text[])) STORED,
    tokenizer_sha256 text GENERATED ALWAYS AS ((manifest #>> '{tokenizer,sha256}'::text[])) STORED,
    chat_template_sha256 text GENERATED ALWAYS AS ((manifest #>> '{tokenizer,chat_template_sha256}'::text[])) STORED
);

COMMENT ON COLUMN public.adapters.settings IS 'Fingerprint of the training settings: with base and tuning set it says whether training is due.';

COMMENT ON COLUMN public.adapters.release IS 'The release whose index and prompt the tuning set was built with.';

COMMENT ON COLUMN public.adapters.prompt IS 'Version of that release''s prompt.';

COMMENT ON COLUMN public.adapters.dataset_revision IS 'As in tuning_sets, when the adapter was registered.';

COMMENT ON COLUMN public.adapters.job_uid IS 'The uid that the orchestrator gave the job; null where none did.';

COMMENT ON COLUMN public.adapters.job IS 'The job that wrote the adapter: namespace/name.';

CREATE TABLE public.answers (
    key text NOT NULL,
    text text NOT NULL,
    tokens integer NOT NULL,
    finish text NOT NULL,
    answered_at timestamp with time zone DEFAULT now() NOT NULL
);

COMMENT ON COLUMN public.answers.key IS 'Hash of context, question, prompt, base, adapter and decoding: never generated twice.';

CREATE TABLE public.canary_outcomes (
    kb text NOT NULL,
    canary integer NOT NULL,
    request text NOT NULL,
    side text NOT NULL,
    reader text NOT NULL,
    good boolean NOT NULL,
    at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT canary_outcomes_side_check CHECK ((side = ANY (ARRAY['canary'::text, 'live'::text])))
);

COMMENT ON TABLE public.canary_outcomes IS 'What became of requests that were answered while a canary ran. No text, and no name of a reader.';

COMMENT ON COLUMN public.canary_outcomes.canary IS 'Number of the event that started the canary.';

COMMENT ON COLUMN public.canary_outcomes.reader IS 'A hash, different for every canary.';

CREATE TABLE public.chunks (
    collection_id integer NOT NULL,
    id uuid NOT NULL,
    source text NOT NULL,
    uri text NOT NULL,
    doc_id text NOT NULL,
    version text NOT NULL,
    ordinal integer NOT NULL,
    section text NOT NULL,
    text text NOT NULL,
    tokens integer NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    groups text[] NOT NULL,
    embedding public.halfvec NOT NULL,
    added_in integer NOT NULL,
    removed_in integer DEFAULT 2147483647 NOT NULL
)
PARTITION BY LIST (collection_id);

COMMENT ON TABLE public.chunks IS 'One partition for each collection, with an HNSW index for its number of dimensions.';

CREATE TABLE public.collections (
    id integer NOT NULL,
    kb text NOT NULL,
    name text NOT NULL,
    provider text NOT NULL,
    embedder text NOT NULL,
    embeddings jsonb NOT NULL,
    dims integer NOT NULL,
    born_generation integer NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    vector_index jsonb DEFAULT '{}'::jsonb NOT NULL,
    dropped_at timestamp with time zone
);

COMMENT ON COLUMN public.collections.embedder IS 'Fingerprint; `embeddings` holds the settings that made it, to embed questions.';

COMMENT ON COLUMN public.collections.vector_index IS 'The settings of the index, as they were when the collection was born.';

COMMENT ON COLUMN public.collections.dropped_at IS 'Since when the index has no rows of it, and nobody looks for them.';

ALTER TABLE public.collections ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.collections_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.document_access (
    kb text NOT NULL,
    source text NOT NULL,
    uri text NOT NULL,
    version_hint text NOT NULL,
    groups text[] NOT NULL,
    serial bigint NOT NULL,
    applied_serial bigint DEFAULT 0 NOT NULL
);

COMMENT ON TABLE public.document_access IS 'The truth about who may read a document. Never versioned, never rolled back.';

CREATE TABLE public.embeddings (
    embedder text NOT NULL,
    text_hash text NOT NULL,
    embedding public.vector NOT NULL,
    plan_id bigint
);

COMMENT ON TABLE public.embeddings IS 'A move, a rename or a way back costs no embedding.';

COMMENT ON COLUMN public.embeddings.plan_id IS 'The plan that had to embed the text; null for questions.';

CREATE TABLE public.evaluations (
    id bigint NOT NULL,
    kb text NOT NULL,
    release integer NOT NULL,
    run_id text NOT NULL,
    candidate_fingerprint text NOT NULL,
    evaluation_fingerprint text NOT NULL,
    comparison jsonb NOT NULL,
    started_at timestamp with time zone DEFAULT now() NOT NULL
);

ALTER TABLE public.evaluations ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.evaluations_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.events (
    kb text NOT NULL,
    n integer NOT NULL,
    kind text NOT NULL,
    release integer,
    details jsonb DEFAULT '{}'::jsonb NOT NULL,
    at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    by_whom text NOT NULL,
    run_id text NOT NULL,
    why text NOT NULL,
    CONSTRAINT events_kind_check CHECK ((kind = ANY (ARRAY['proposed'::text, 'evaluated'::text, 'approved'::text, 'overridden'::text, 'canary_started'::text, 'canary_ended'::text, 'promoted'::text, 'rejected'::text, 'held'::text, 'superseded'::text, 'rolled_back'::text, 'hold_set'::text, 'hold_lifted'::text])))
);

CREATE TABLE public.evidence (
    evaluation_id bigint NOT NULL,
    side text NOT NULL,
    question text NOT NULL,
    family text NOT NULL,
    metric text NOT NULL,
    value double precision,
    slices text[] NOT NULL
);

CREATE TABLE public.generations (
    kb text NOT NULL,
    generation integer NOT NULL,
    collection_id integer NOT NULL,
    state text NOT NULL,
    run_id text NOT NULL,
    digest text,
    counts jsonb DEFAULT '{}'::jsonb NOT NULL,
    opened_at timestamp with time zone DEFAULT now() NOT NULL,
    closed_at timestamp with time zone,
    pruned_at timestamp with time zone,
    CONSTRAINT generations_state_check CHECK ((state = ANY (ARRAY['open'::text, 'closed'::text, 'empty'::text])))
);

COMMENT ON COLUMN public.generations.digest IS 'Hash of the manifest contents and fingerprints, without any numbers.';

CREATE TABLE public.listed_documents (
    serial bigint NOT NULL,
    source text NOT NULL,
    uri text NOT NULL,
    version_hint text NOT NULL,
    size_bytes bigint NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    groups text[] NOT NULL,
    version text,
    opened boolean DEFAULT false NOT NULL,
    undecided boolean DEFAULT false NOT NULL,
    source_groups text[],
    carried boolean DEFAULT false NOT NULL
);

COMMENT ON COLUMN public.listed_documents.version IS 'Content hash, where this listing or an earlier one had to open the document to settle a move.';

COMMENT ON COLUMN public.listed_documents.undecided IS 'Who may read it stands in the document or beside it, or comes after that.';

COMMENT ON COLUMN public.listed_documents.source_groups IS 'What the source says of an undecided document; null where it says nothing.';

COMMENT ON COLUMN public.listed_documents.carried IS 'Nobody looked at it for this listing: it stands as in the one before, and says nothing new of access.';

CREATE TABLE public.listed_sidecars (
    serial bigint NOT NULL,
    source text NOT NULL,
    uri text NOT NULL,
    version_hint text NOT NULL,
    size_bytes bigint NOT NULL
);

COMMENT ON TABLE public.listed_sidecars IS 'Files of a listing that say who may read the document beside them, and are none themselves.';

CREATE TABLE public.listings (
    serial bigint NOT NULL,
    kb text NOT NULL,
    run_id text NOT NULL,
    started_at timestamp with time zone DEFAULT now() NOT NULL,
    finished_at timestamp with time zone,
    error text,
    widenings integer,
    widening_capped boolean DEFAULT false NOT NULL,
    pruned_at timestamp with time zone
);

COMMENT ON COLUMN public.listings.serial IS 'Drawn when the listing starts, so that a late one cannot undo a newer revocation.';

COMMENT ON COLUMN public.listings.pruned_at IS 'When its documents were deleted; a run that still means to plan from it lists again.';

ALTER TABLE public.listings ALTER COLUMN serial ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.listings_serial_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.releases (
    kb text NOT NULL,
    n integer NOT NULL,
    component text NOT NULL,
    makeup jsonb NOT NULL,
    fingerprint text NOT NULL,
    parent integer,
    run_id text NOT NULL,
    unjudged boolean DEFAULT false NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT releases_component_check CHECK ((component = ANY (ARRAY['retrieval'::text, 'prompt'::text, 'adapter'::text])))
);

CREATE VIEW public.live_releases AS
 SELECT DISTINCT ON (e.kb) e.kb,
    r.n,
    r.makeup,
    r.fingerprint,
    e.at AS live_since,
    e.run_id,
    (r.makeup #>> '{retrieval,collection}'::text[]) AS collection,
    ((r.makeup #>> '{retrieval,generation}'::text[]))::integer AS generation
   FROM (public.events e
     JOIN public.releases r ON (((r.kb = e.kb) AND (r.n = e.release))))
  WHERE (e.kind = ANY (ARRAY['promoted'::text, 'rolled_back'::text]))
  ORDER BY e.kb, e.n DESC;

COMMENT ON VIEW public.live_releases IS 'What is live now. Readers of the index keep to rows of that collection with added_in <= generation < removed_in.';

CREATE TABLE public.manifest (
    collection_id integer NOT NULL,
    source text NOT NULL,
    uri text NOT NULL,
    version text NOT NULL,
    version_hint text NOT NULL,
    parser text NOT NULL,
    chunker text NOT NULL,
    size_bytes bigint NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    chunks integer NOT NULL,
    tokens integer NOT NULL,
    added_in integer NOT NULL,
    removed_in integer DEFAULT 2147483647 NOT NULL
);

COMMENT ON TABLE public.manifest IS 'Generation g holds an entry when added_in <= g < removed_in.';

CREATE TABLE public.plain_quotes (
    version text NOT NULL,
    quote text NOT NULL,
    stands boolean NOT NULL
);

COMMENT ON TABLE public.plain_quotes IS 'Whether a golden question''s quote stands in a version of a document, so that none is opened twice.';

CREATE TABLE public.plan_items (
    plan_id bigint NOT NULL,
    batch integer NOT NULL,
    source text NOT NULL,
    uri text NOT NULL,
    action text NOT NULL,
    outcome jsonb,
    CONSTRAINT plan_items_action_check CHECK ((action = ANY (ARRAY['open'::text, 'remove'::text, 'restore'::text])))
);

CREATE TABLE public.plans (
    id bigint NOT NULL,
    kb text NOT NULL,
    run_id text NOT NULL,
    kind text NOT NULL,
    generation integer NOT NULL,
    serial bigint NOT NULL,
    fence bigint NOT NULL,
    counts jsonb NOT NULL,
    planned_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT plans_kind_check CHECK ((kind = ANY (ARRAY['index'::text, 'verify'::text, 'nothing'::text])))
);

COMMENT ON COLUMN public.plans.generation IS 'The generation that it writes, or (verify, nothing) the last closed one.';

ALTER TABLE public.plans ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.plans_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE VIEW public.promotion_holds AS
 SELECT kb,
    at AS since,
    by_whom,
    why,
    details
   FROM ( SELECT DISTINCT ON (events.kb) events.kb,
            events.n,
            events.kind,
            events.release,
            events.details,
            events.at,
            events.by_whom,
            events.run_id,
            events.why
           FROM public.events
          WHERE (events.kind = ANY (ARRAY['hold_set'::text, 'hold_lifted'::text]))
          ORDER BY events.kb, events.n DESC) last
  WHERE (kind = 'hold_set'::text);

COMMENT ON VIEW public.promotion_holds IS 'Knowledge bases in which nothing is promoted until somebody resumes.';

CREATE TABLE public.quarantine (
    kb text NOT NULL,
    source text NOT NULL,
    uri text NOT NULL,
    kind text NOT NULL,
    version_hint text NOT NULL,
    parser text NOT NULL,
    reason text NOT NULL,
    run_id text NOT NULL,
    since timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT quarantine_kind_check CHECK ((kind = ANY (ARRAY['read'::text, 'parse'::text])))
);

CREATE VIEW public.release_outcomes AS
 SELECT DISTINCT ON (kb, release) kb,
    release AS n,
    kind AS outcome,
    at,
    by_whom,
    why
   FROM public.events e
  WHERE (kind = ANY (ARRAY['promoted'::text, 'rejected'::text, 'held'::text, 'superseded'::text, 'rolled_back'::text]))
  ORDER BY kb, release, e.n DESC;

COMMENT ON VIEW public.release_outcomes IS 'What became of each release, by its last outcome.';

CREATE VIEW public.running_canaries AS
 SELECT kb,
    n,
    release,
    at AS since,
    (at + make_interval(secs => (((details #>> '{settings,hours}'::text[]))::double precision * (3600)::double precision))) AS until,
    details
   FROM ( SELECT DISTINCT ON (events.kb) events.kb,
            events.n,
            events.kind,
            events.release,
            events.details,
            events.at,
            events.by_whom,
            events.run_id,
            events.why
           FROM public.events
          WHERE (events.kind = 'canary_started'::text)
          ORDER BY events.kb, events.n DESC) last
  WHERE (NOT (EXISTS ( SELECT
           FROM (public.events e
             LEFT JOIN public.releases r ON (((r.kb = e.kb) AND (r.n = e.release))))
          WHERE ((e.kb = last.kb) AND (e.n > last.n) AND ((e.kind = ANY (ARRAY['canary_ended'::text, 'rolled_back'::text, 'hold_set'::text])) OR ((e.kind = 'promoted'::text) AND (r.component = 'adapter'::text)) OR ((e.kind = 'rejected'::text) AND ((r.makeup #>> '{adapter,digest}'::text[]) = (last.details ->> 'adapter'::text))))))));

COMMENT ON VIEW public.running_canaries IS 'The canary of each knowledge base, from its start until it is judged, or something else ends it.';

CREATE TABLE public.runs (
    run_id text NOT NULL,
    kb text NOT NULL,
    configuration jsonb NOT NULL,
    scope jsonb NOT NULL,
    allowances jsonb NOT NULL,
    frozen_at timestamp with time zone DEFAULT now() NOT NULL,
    stopped_by text
);

COMMENT ON TABLE public.runs IS 'What a run works with: its configuration, frozen by its first task.';

COMMENT ON COLUMN public.runs.run_id IS 'The DAG and its run, as in kb_handbook:scheduled__2026-01-01T02:00:00+00:00.';

CREATE TABLE public.said_groups (
    kb text NOT NULL,
    source text NOT NULL,
    uri text NOT NULL,
    version_hint text NOT NULL,
    groups text[],
    problem text,
    reading text DEFAULT ''::text NOT NULL
);

COMMENT ON TABLE public.said_groups IS 'What that version of a document or sidecar says; groups are null where it says nothing. With a problem, nobody may read.';

COMMENT ON COLUMN public.said_groups.reading IS 'Fingerprint of the way in which it was read: our own version of it, and the settings.';

CREATE TABLE public.told (
    kb text NOT NULL,
    n integer NOT NULL
);

COMMENT ON TABLE public.told IS 'Up to which event of a ledger people were told.';

CREATE TABLE public.transcripts (
    evaluation_id bigint NOT NULL,
    side text NOT NULL,
    question text NOT NULL,
    asked text NOT NULL,
    sources text[] NOT NULL,
    best_score double precision,
    collection_id integer NOT NULL,
    chunks jsonb NOT NULL,
    answer text
);

COMMENT ON TABLE public.transcripts IS 'Of questions on which the sides of an evaluation differ.';

COMMENT ON COLUMN public.transcripts.chunks IS 'The context, best first: id, uri, section and score of each chunk.';

COMMENT ON COLUMN public.transcripts.answer IS 'Key of the answer in answers; null where none was looked for or none came.';

CREATE TABLE public.tuning_sets (
    digest text NOT NULL,
    kb text NOT NULL,
    uri text NOT NULL,
    counts jsonb NOT NULL,
    lineage jsonb NOT NULL,
    run_id text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    dataset_revision text
);

COMMENT ON COLUMN public.tuning_sets.dataset_revision IS 'What an outside tool calls the examples (a commit of lakeFS, a revision of DVC): a note, part of no hash.';

CREATE TABLE public.turn_queue (
    kb text NOT NULL,
    run_id text NOT NULL,
    backfill_from timestamp with time zone,
    asked_at timestamp with time zone DEFAULT now() NOT NULL,
    seen_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE public.turns (
    kb text NOT NULL,
    holder text,
    fence bigint DEFAULT 0 NOT NULL,
    expires_at timestamp with time zone DEFAULT now() NOT NULL
);

COMMENT ON TABLE public.turns IS 'The lease of the one writer. The fence grows at every acquisition and every plan.';

CREATE TABLE public.validations (
    kb text NOT NULL,
    subject text NOT NULL,
    passed boolean NOT NULL,
    report jsonb NOT NULL,
    run_id text NOT NULL,
    validated_at timestamp with time zone DEFAULT now() NOT NULL
);

COMMENT ON COLUMN public.validations.subject IS 'Digest of the generation or of the tuning set that a suite ran over.';

CREATE TABLE public.verdicts (
    kb text NOT NULL,
    n integer NOT NULL,
    release integer NOT NULL,
    candidate_fingerprint text NOT NULL,
    evaluation_fingerprint text NOT NULL,
    evaluation_id bigint NOT NULL,
    outcome text NOT NULL,
    verdict jsonb NOT NULL,
    run_id text NOT NULL,
    decided_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT verdicts_outcome_check CHECK ((outcome = ANY (ARRAY['promote'::text, 'reject'::text, 'inconclusive'::text])))
);

ALTER TABLE ONLY public.adapters
    ADD CONSTRAINT adapters_pkey PRIMARY KEY (digest);

ALTER TABLE ONLY public.answers
    ADD CONSTRAINT answers_pkey PRIMARY KEY (key);

ALTER TABLE ONLY public.canary_outcomes
    ADD CONSTRAINT canary_outcomes_pkey PRIMARY KEY (kb, canary, request);

ALTER TABLE ONLY public.chunks
    ADD CONSTRAINT chunks_pkey PRIMARY KEY (collection_id, id);

ALTER TABLE ONLY public.collections
    ADD CONSTRAINT collections_name_key UNIQUE (name);

ALTER TABLE ONLY public.collections
    ADD CONSTRAINT collections_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.document_access
    ADD CONSTRAINT document_access_pkey PRIMARY KEY (kb, source, uri);

ALTER TABLE ONLY public.embeddings
    ADD CONSTRAINT embeddings_pkey PRIMARY KEY (embedder, text_hash);

ALTER TABLE ONLY public.evaluations
    ADD CONSTRAINT evaluations_kb_candidate_fingerprint_evaluation_fingerprint_key UNIQUE (kb, candidate_fingerprint, evaluation_fingerprint);

ALTER TABLE ONLY public.evaluations
    ADD CONSTRAINT evaluations_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.events
    ADD CONSTRAINT events_pkey PRIMARY KEY (kb, n);

ALTER TABLE ONLY public.evidence
    ADD CONSTRAINT evidence_pkey PRIMARY KEY (evaluation_id, side, question, metric);

ALTER TABLE ONLY public.generations
    ADD CONSTRAINT generations_pkey PRIMARY KEY (kb, generation);

ALTER TABLE ONLY public.listed_documents
    ADD CONSTRAINT listed_documents_pkey PRIMARY KEY (serial, source, uri);

ALTER TABLE ONLY public.listed_sidecars
    ADD CONSTRAINT listed_sidecars_pkey PRIMARY KEY (serial, source, uri);

ALTER TABLE ONLY public.listings
    ADD CONSTRAINT listings_pkey PRIMARY KEY (serial);

ALTER TABLE ONLY public.manifest
    ADD CONSTRAINT manifest_pkey PRIMARY KEY (collection_id, source, uri, added_in);

ALTER TABLE ONLY public.plain_quotes
    ADD CONSTRAINT plain_quotes_pkey PRIMARY KEY (version, quote);

ALTER TABLE ONLY public.plan_items
    ADD CONSTRAINT plan_items_pkey PRIMARY KEY (plan_id, source, uri);

ALTER TABLE ONLY public.plans
    ADD CONSTRAINT plans_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.quarantine
    ADD CONSTRAINT quarantine_pkey PRIMARY KEY (kb, source, uri);

ALTER TABLE ONLY public.releases
    ADD CONSTRAINT releases_pkey PRIMARY KEY (kb, n);

ALTER TABLE ONLY public.runs
    ADD CONSTRAINT runs_pkey PRIMARY KEY (run_id);

ALTER TABLE ONLY public.said_groups
    ADD CONSTRAINT said_groups_pkey PRIMARY KEY (kb, source, uri);

ALTER TABLE ONLY public.told
    ADD CONSTRAINT told_pkey PRIMARY KEY (kb);

ALTER TABLE ONLY public.transcripts
    ADD CONSTRAINT transcripts_pkey PRIMARY KEY (evaluation_id, question, side);

ALTER TABLE ONLY public.tuning_sets
    ADD CONSTRAINT tuning_sets_pkey PRIMARY KEY (digest);

ALTER TABLE ONLY public.turn_queue
    ADD CONSTRAINT turn_queue_pkey PRIMARY KEY (kb, run_id);

ALTER TABLE ONLY public.turns
    ADD CONSTRAINT turns_pkey PRIMARY KEY (kb);

ALTER TABLE ONLY public.validations
    ADD CONSTRAINT validations_pkey PRIMARY KEY (kb, subject);

ALTER TABLE ONLY public.verdicts
    ADD CONSTRAINT verdicts_kb_candidate_fingerprint_evaluation_fingerprint_key UNIQUE (kb, candidate_fingerprint, evaluation_fingerprint);

ALTER TABLE ONLY public.verdicts
    ADD CONSTRAINT verdicts_pkey PRIMARY KEY (kb, n);

CREATE INDEX access_to_apply ON public.document_access USING btree (kb) WHERE (applied_serial < serial);

CREATE INDEX adapters_of_a_knowledge_base ON public.adapters USING btree (kb, created_at);

CREATE INDEX chunks_of_a_document ON ONLY public.chunks USING btree (collection_id, source, uri);

CREATE INDEX embeddings_of_a_plan ON public.embeddings USING btree (plan_id);

CREATE INDEX listings_of_a_run ON public.listings USING btree (kb, run_id, serial);

CREATE INDEX manifest_by_version ON public.manifest USING btree (collection_id, version);

CREATE UNIQUE INDEX one_open_generation ON public.generations USING btree (kb) WHERE (state = 'open'::text);

CREATE INDEX plans_of_a_run ON public.plans USING btree (kb, run_id, id);

CREATE INDEX undecided_documents ON public.listed_documents USING btree (serial, source, uri) WHERE undecided;

CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON public.canary_outcomes FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_to_change_history();

CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON public.events FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_to_change_history();

CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON public.releases FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_to_change_history();

CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON public.verdicts FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_to_change_history();

ALTER TABLE ONLY public.adapters
    ADD CONSTRAINT adapters_tuning_set_fkey FOREIGN KEY (tuning_set) REFERENCES public.tuning_sets(digest);

ALTER TABLE ONLY public.canary_outcomes
    ADD CONSTRAINT canary_outcomes_kb_canary_fkey FOREIGN KEY (kb, canary) REFERENCES public.events(kb, n);

ALTER TABLE ONLY public.embeddings
    ADD CONSTRAINT embeddings_plan_id_fkey FOREIGN KEY (plan_id) REFERENCES public.plans(id) ON DELETE SET NULL;

ALTER TABLE ONLY public.events
    ADD CONSTRAINT events_kb_release_fkey FOREIGN KEY (kb, release) REFERENCES public.releases(kb, n);

ALTER TABLE ONLY public.evidence
    ADD CONSTRAINT evidence_evaluation_id_fkey FOREIGN KEY (evaluation_id) REFERENCES public.evaluations(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.generations
    ADD CONSTRAINT generations_collection_id_fkey FOREIGN KEY (collection_id) REFERENCES public.collections(id);

ALTER TABLE ONLY public.listed_documents
    ADD CONSTRAINT listed_documents_serial_fkey FOREIGN KEY (serial) REFERENCES public.listings(serial) ON DELETE CASCADE;

ALTER TABLE ONLY public.listed_sidecars
    ADD CONSTRAINT listed_sidecars_serial_fkey FOREIGN KEY (serial) REFERENCES public.listings(serial) ON DELETE CASCADE;

ALTER TABLE ONLY public.manifest
    ADD CONSTRAINT manifest_collection_id_fkey FOREIGN KEY (collection_id) REFERENCES public.collections(id);

ALTER TABLE ONLY public.plan_items
    ADD CONSTRAINT plan_items_plan_id_fkey FOREIGN KEY (plan_id) REFERENCES public.plans(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.plans
    ADD CONSTRAINT plans_serial_fkey FOREIGN KEY (serial) REFERENCES public.listings(serial);

ALTER TABLE ONLY public.transcripts
    ADD CONSTRAINT transcripts_evaluation_id_fkey FOREIGN KEY (evaluation_id) REFERENCES public.evaluations(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.verdicts
    ADD CONSTRAINT verdicts_evaluation_id_fkey FOREIGN KEY (evaluation_id) REFERENCES public.evaluations(id);

ALTER TABLE ONLY public.verdicts
    ADD CONSTRAINT verdicts_kb_release_fkey FOREIGN KEY (kb, release) REFERENCES public.releases(kb, n);
