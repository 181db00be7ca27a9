-- What each side of an evaluation found and answered, for people who look at a question that changed. No text of a
-- document or an answer is in here, only where it stands, so that it goes with the row and is read under today's access.

CREATE TABLE transcripts (
    evaluation_id bigint NOT NULL REFERENCES evaluations ON DELETE CASCADE,
    side text NOT NULL,
    question text NOT NULL,
    asked text NOT NULL,
    sources text[] NOT NULL,
    best_score double precision,
    collection_id integer NOT NULL,
    chunks jsonb NOT NULL,
    answer text,
    PRIMARY KEY (evaluation_id, question, side)
);
COMMENT ON TABLE transcripts IS 'Of questions on which the sides of an evaluation differ.';
COMMENT ON COLUMN transcripts.chunks IS 'The context, best first: id, uri, section and score of each chunk.';
COMMENT ON COLUMN transcripts.answer IS 'Key of the answer in answers; null where none was looked for or none came.';
