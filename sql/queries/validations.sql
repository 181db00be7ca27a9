-- name: validation_passed(kb, subject)$
-- Whether a suite over that generation or tuning set passed.
SELECT passed FROM validations WHERE kb = :kb AND subject = :subject;

-- name: store_validation(kb, subject, passed, report, run_id)!
-- The result of a suite; the newest one counts.
INSERT INTO validations (kb, subject, passed, report, run_id)
VALUES (:kb, :subject, :passed, :report::jsonb, :run_id)
    ON CONFLICT (kb, subject) DO UPDATE
   SET passed = excluded.passed, report = excluded.report, run_id = excluded.run_id, validated_at = now();

-- name: validations(kb)
-- Results of all suites.
SELECT subject, passed, report, run_id, validated_at FROM validations WHERE kb = :kb ORDER BY validated_at;
