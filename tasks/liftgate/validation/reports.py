"""Results of expectation suites in the database: a subject that passed is not validated again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from liftgate.database import queries
from liftgate.errors import ValidationFailed
from liftgate.fingerprints import canonical_json
from liftgate.runs import Run
from liftgate.validation.report import Report

if TYPE_CHECKING:
    from liftgate.runtime import Runtime


def data_quality(runtime: Runtime, kb: str, subject: str) -> bool | None:
    """Whether the suite over that subject passed. None: no suite has run over it."""
    with runtime.database.transaction() as connection:
        passed: bool | None = queries().validation_passed(connection, kb=kb, subject=subject)
    return passed


def store_report(runtime: Runtime, run: Run, subject: str, report: Report) -> None:
    """Store the result, and raise ValidationFailed if the suite did not pass."""
    with runtime.database.transaction() as connection:
        queries().store_validation(
            connection,
            kb=run.kb,
            subject=subject,
            passed=report.passed,
            report=canonical_json(report.as_json()),
            run_id=run.run_id,
        )
    print(f"{report.suite}: {len(report.expected)} expectations over {report.rows} rows. Report: {report.docs}")
    if not report.passed:
        raise ValidationFailed(report.message())
