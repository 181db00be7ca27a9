-- A new adapter goes to some readers first, and what became of their requests decides.

ALTER TABLE events DROP CONSTRAINT events_kind_check;
ALTER TABLE events ADD CONSTRAINT events_kind_check CHECK (kind IN (
    'proposed', 'evaluated', 'approved', 'overridden', 'canary_started', 'canary_ended', 'promoted', 'rejected',
    'held', 'superseded', 'rolled_back', 'hold_set', 'hold_lifted'));

CREATE VIEW running_canaries AS
SELECT last.kb, last.n, last.release, last.at AS since,
       last.at + make_interval(secs => (last.details #>> '{settings,hours}')::float8 * 3600) AS until, last.details
  FROM (SELECT DISTINCT ON (kb) * FROM events WHERE kind = 'canary_started' ORDER BY kb, n DESC) last
 WHERE NOT EXISTS (
       SELECT FROM events e LEFT JOIN releases r ON r.kb = e.kb AND r.n = e.release
        WHERE e.kb = last.kb AND e.n > last.n
          AND (e.kind IN ('canary_ended', 'rolled_back', 'hold_set')
            OR (e.kind = 'promoted' AND r.component = 'adapter')
            OR (e.kind = 'rejected' AND r.makeup #>> '{adapter,digest}' = last.details ->> 'adapter')));
COMMENT ON VIEW running_canaries IS
    'The canary of each knowledge base, from its start until it is judged, or something else ends it.';

CREATE TABLE canary_outcomes (
    kb      text        NOT NULL,
    canary  integer     NOT NULL,
    request text        NOT NULL,
    side    text        NOT NULL CHECK (side IN ('canary', 'live')),
    reader  text        NOT NULL,
    good    boolean     NOT NULL,
    at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (kb, canary, request),
    FOREIGN KEY (kb, canary) REFERENCES events
);
COMMENT ON TABLE canary_outcomes IS 'What became of requests that were answered while a canary ran. No text, and no name of a reader.';
COMMENT ON COLUMN canary_outcomes.canary IS 'Number of the event that started the canary.';
COMMENT ON COLUMN canary_outcomes.reader IS 'A hash, different for every canary.';

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON canary_outcomes
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_to_change_history();
