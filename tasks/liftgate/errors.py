"""Every error that Liftgate raises on purpose.

    LiftgateError
    +-- ConfigurationError          a setting or a YAML file; retrying cannot help
    +-- SourceError                 a source could not be listed or read; worth a retry
    |   +-- DocumentChanged         the document is no longer the one that was listed
    |   +-- KindFaulty              the code of its kind is wrong; retrying cannot help
    |   +-- PageForbidden           a web server does not give a page to the source's login
    +-- DocumentUnreadable          a parser refused a document; it waits for a new version
    +-- BrakeApplied                a run was stopped before it touched index or manifest
    |   +-- SourceGaveNothing       a source lists documents and gives none of them; no generation was closed
    +-- TurnLost                    another run writes now, or this run's plan is no longer the open one
    +-- IndexDiffers                the rows in the index are not the rows of the plan
    +-- IndexUnavailable            the index server did not answer; worth a retry
    +-- IndexRefused                the index server did not take a request
    |   +-- CollectionMissing       it has no such collection (any more)
    +-- ModelServerUnavailable      a server that embeds, reranks or answers did not respond; worth a retry
    +-- ModelServerRefused          it did not take a request, or answered with something else than was asked for
    |   +-- RequestsRefused         it did not take some requests, and answered all others
    +-- ValidationFailed            an expectation suite failed
    +-- EvidenceRefused             the two sides of a comparison differ in more than one component
    +-- PromotionRefused            the ledger does not allow this promotion or rollback
    +-- JobFailed                   a training or answering job ended badly
    |   +-- JobRefused              the manifest was not accepted
    |   +-- JobFailedForGood        it said itself that a retry cannot help
    |   +-- JobLost                 the job is gone, and nobody knows how it ended
    +-- ClusterUnavailable          the Kubernetes API server did not answer; worth a retry
    +-- NewsRefused                 whoever should be told of a run did not take it; the run goes on
    +-- ArtifactCorrupt             a file does not have the hash that was recorded for it

Every message says what was expected, what was found, and the remedy, in that order.
"""

from __future__ import annotations


class LiftgateError(Exception):
    """Liftgate stopped. The message says what was expected, what was found, and the remedy."""

    def __init__(self, message: str | None = None):
        super().__init__(message or self.__doc__)


class ConfigurationError(LiftgateError):
    """A setting or a YAML file is not valid."""


class SourceError(LiftgateError):
    """A source could not be listed or read. It is tried again by the retry policy, and then by every run."""


class DocumentChanged(SourceError):
    """The document is no longer the one that was listed. The next run lists it again."""


class KindFaulty(SourceError):
    """The code of a kind of source is wrong. Mend the kind; liftgate.testing.source_contract checks it."""


class PageForbidden(SourceError):
    """A web server does not give a page to the login of its source. Give it the right to, or leave the page out."""


class DocumentUnreadable(LiftgateError):
    """A parser refused the document. It is quarantined until its source or the parser changes."""


class BrakeApplied(LiftgateError):
    """The run was stopped before it touched the index."""


class SourceGaveNothing(BrakeApplied):
    """A source gave none of the documents that it listed. No generation was closed; readers see what they saw."""


class TurnLost(LiftgateError):
    """This run may not write any more. Clear plan_changes and what is downstream of it."""


class IndexDiffers(LiftgateError):
    """The rows in the index are not the rows of the plan. Clear index_changes and what is downstream of it."""


class IndexUnavailable(LiftgateError):
    """The index server did not answer. Nothing is lost: the same request is made again by the retry."""


class IndexRefused(LiftgateError):
    """The index server did not take a request. The message has its reasons."""


class CollectionMissing(IndexRefused):
    """The index server has no such collection. Somebody deleted it, or it was never made."""


class ModelServerUnavailable(LiftgateError):
    """A server of models did not respond. What it embedded or answered is kept; a retry asks for the rest."""

    def __init__(self, message: str | None = None, retry_after: float | None = None):
        super().__init__(message)
        self.retry_after = retry_after
        """Seconds that the server asks to be left alone."""


class ModelServerRefused(LiftgateError):
    """A server of models did not take a request. The message has its reason."""

    def __init__(self, message: str | None = None, status: int | None = None):
        super().__init__(message)
        self.status = status
        """The HTTP status with which it refused, where it did not answer with something else."""


class RequestsRefused(ModelServerRefused):
    """A server of models did not take some requests, each for a reason of its own, and answered all others."""

    def __init__(self, message: str | None = None, requests: int = 0):
        super().__init__(message)
        self.requests = requests
        """How many it refused."""


class ValidationFailed(LiftgateError):
    """An expectation suite failed. Nothing went live; the report names the expectations."""


class EvidenceRefused(LiftgateError):
    """The two sides differ in more than the component under test, so they were not compared."""


class PromotionRefused(LiftgateError):
    """The ledger does not allow this. Nothing changed."""


class JobFailed(LiftgateError):
    """A job ended badly. Its log and reason are in the task's log."""


class JobRefused(JobFailed):
    """The job's manifest was not accepted. Mend the manifest; a retry cannot help."""

    def __init__(self, message: str | None = None, status: int | None = None):
        super().__init__(message)
        self.status = status
        """The HTTP status of the server that refused it, where one was asked."""


class JobFailedForGood(JobFailed):
    """The job ended with an exit code that says that something given to it is wrong."""


class JobLost(JobFailed):
    """The job is gone, and so is the news of how it ended. A retry makes the next attempt."""


class ClusterUnavailable(LiftgateError):
    """The Kubernetes API server did not answer. A job that runs goes on; a retry finds it again."""

    def __init__(self, message: str | None = None, retry_after: float | None = None):
        super().__init__(message)
        self.retry_after = retry_after
        """Seconds that the server asks to be left alone."""


class NewsRefused(LiftgateError):
    """Whoever should be told of a run did not take it. The run goes on."""


class ArtifactCorrupt(LiftgateError):
    """A file does not have the hash that was recorded for it. Train again, or restore the file."""
