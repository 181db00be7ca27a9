-- Documents, and files beside them, can say themselves who may read them. What they say is remembered by version.

CREATE TABLE listed_sidecars (
    serial       bigint NOT NULL REFERENCES listings ON DELETE CASCADE,
    source       text   NOT NULL,
    uri          text   NOT NULL,
    version_hint text   NOT NULL,
    size_bytes   bigint NOT NULL,
    PRIMARY KEY (serial, source, uri)
);
COMMENT ON TABLE listed_sidecars IS 'Files of a listing that say who may read the document beside them, and are none themselves.';

ALTER TABLE listed_documents ADD COLUMN undecided boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN listed_documents.undecided IS 'Who may read it stands in the document or beside it, or comes after that.';
ALTER TABLE listed_documents ADD COLUMN source_groups text[];
COMMENT ON COLUMN listed_documents.source_groups IS 'What the source says of an undecided document; null where it says nothing.';
CREATE INDEX undecided_documents ON listed_documents (serial, source, uri) WHERE undecided;

CREATE TABLE said_groups (
    kb           text NOT NULL,
    source       text NOT NULL,
    uri          text NOT NULL,
    version_hint text NOT NULL,
    groups       text[],
    problem      text,
    PRIMARY KEY (kb, source, uri)
);
COMMENT ON TABLE said_groups IS 'What that version of a document or sidecar says; groups are null where it says nothing. With a problem, nobody may read.';
