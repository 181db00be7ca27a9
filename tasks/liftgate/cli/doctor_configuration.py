"""The doctor's checks of a knowledge base's or adapter's file, and of everything that the file names."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from liftgate import embedding
from liftgate.answering.base_model import base_tokenizer
from liftgate.answering.openai import require_one_place, served_base
from liftgate.cli.installed import check_trainer, require_packages
from liftgate.config.adapter import Adapter
from liftgate.config.ingestion import Ingestion
from liftgate.config.jobs import JobBlock
from liftgate.config.knowledge_base import KnowledgeBase
from liftgate.config.reading import read_adapter, read_knowledge_base
from liftgate.config.retrieval import Retrieval
from liftgate.errors import ConfigurationError
from liftgate.evaluation.families import read_families
from liftgate.evaluation.questions import family_problems, read_questions
from liftgate.jobs.api import Clusters, cluster_of_kubeconfig
from liftgate.local.models import model_folder
from liftgate.prompts import read_prompt
from liftgate.reranking import scorer_for
from liftgate.settings import Settings
from liftgate.sources.connections import Connections, connection_from_environment
from liftgate.sources.listing import sources_of
from liftgate.sources.source import Source

Check = tuple[str, Callable[[], str]]
TRIAL = "Who may read this?"
"""What servers of models are asked, to see whether they answer."""


def configuration_checks(
    settings: Settings,
    path: Path,
    connections: Connections = connection_from_environment,
    clusters: Clusters = cluster_of_kubeconfig,
) -> Iterator[Check]:
    """The checks of one file. If it does not validate, that is the only one."""
    try:
        config, adapter = _read(path)
    except ConfigurationError as error:
        refused = error
        yield "settings", lambda: _refuse(refused)
        return
    yield "settings", lambda: "valid"
    yield from _knowledge_base_checks(settings, config, sources_of(config, connections))
    if config.answers.job.backend != "local":
        yield "cluster that answers", lambda: _cluster(config.answers.job, clusters)
    if adapter:
        yield from _adapter_checks(settings, adapter, clusters)


def _knowledge_base_checks(settings: Settings, config: KnowledgeBase, sources: dict[str, Source]) -> Iterator[Check]:
    ingestion = config.ingestion
    listed: dict[str, list[str]] = {}
    for name, source in sources.items():
        yield f"source {name}", lambda source=source: _lists(source, listed)  # type: ignore[misc]
    yield "embedder", lambda: _embedder(settings, ingestion)
    yield "index", lambda: _index(settings, ingestion)
    yield "reranker", lambda: _reranker(settings, ingestion.retrieval_defaults)
    yield "base model", lambda: str(model_folder(config.answers.base_model, settings.models_dir))
    if settings.generator_url:
        yield "server that answers", lambda: _answering(settings, config)
    yield "prompt", lambda: f"version {read_prompt(config.answers.prompt).version}"
    yield "questions", lambda: _questions(config)
    yield "families", lambda: _families(config, listed)
    if config.own_pools:
        yield "pools", lambda: _pools(config)
    if config.notify:
        yield "notify", lambda: _notify(config)


def _adapter_checks(settings: Settings, adapter: Adapter, clusters: Clusters) -> Iterator[Check]:
    training = adapter.training
    if training.backend == "local":
        yield "trainer", lambda: check_trainer(settings)
        yield "training's base model", lambda: str(model_folder(training.base_model, settings.models_dir))
    else:
        yield "cluster that trains", lambda: _cluster(training, clusters)
        yield "training's tokenizer", lambda: _tokenizer(training.base_model, settings.models_dir)


def _read(path: Path) -> tuple[KnowledgeBase, Adapter | None]:
    if path.parent.name != "adapters":
        return read_knowledge_base(path), None
    adapter = read_adapter(path)
    return read_knowledge_base(adapter.knowledge_base), adapter


def _refuse(error: ConfigurationError) -> str:
    raise error


def _lists(source: Source, listed: dict[str, list[str]]) -> str:
    """Leaves the uris for the check of families: one that cannot be listed is one problem, and asked once."""
    listed[source.name] = [one.uri for one in source.list()]
    if not listed[source.name]:
        raise ConfigurationError(
            f"Expected documents in source {source.called}, found none. Check its path, prefix and `include`."
        )
    return f"{len(listed[source.name])} documents"


def _embedder(settings: Settings, ingestion: Ingestion) -> str:
    """Its files are there, or its server answers; chunks fit it."""
    if problems := embedding.problems(ingestion.embeddings, ingestion.chunking):
        raise ConfigurationError(" ".join(problems))
    found = embedding.embedder_for(ingestion.embeddings, settings)
    if ingestion.embeddings.provider == "openai":
        found.embed([TRIAL])
    else:
        require_packages("local", "sentence_transformers")
    return f"{ingestion.embeddings.model}, {found.dims} dimensions, {found.max_tokens} tokens"


def _index(settings: Settings, ingestion: Ingestion) -> str:
    index, dims = ingestion.vector_index, embedding.embedder_for(ingestion.embeddings).dims
    if index.provider == "weaviate" and not settings.weaviate_url:
        raise ConfigurationError(
            "Expected the address of a Weaviate server, since vector_index.provider is weaviate, found none. Set "
            "LIFTGATE_WEAVIATE_URL, or in Airflow name a connection as `weaviate_conn_id` in the extras of "
            "liftgate_database."
        )
    if index.dims not in (None, dims):
        raise ConfigurationError(
            f"Expected vector_index.dims to be the embedder's {dims}, found {index.dims}. Correct it, or leave it out."
        )
    return f"{index.provider}, {index.table}"


def _reranker(settings: Settings, retrieval: Retrieval) -> str:
    if not retrieval.rerank:
        return "off"
    scorer = scorer_for(settings, retrieval.rerank_model)
    if settings.rerank_url:
        scorer(TRIAL, [TRIAL, "A lamp."])
        return settings.rerank_url
    require_packages("local", "sentence_transformers")
    return str(model_folder(retrieval.rerank_model or ""))


def _answering(settings: Settings, config: KnowledgeBase) -> str:
    """The server has the base model. An adapter is looked for when it is asked: it may be loaded later."""
    require_one_place(settings, config)
    base = served_base(settings, config.answers.base_model)
    base.require()
    return f"{settings.generator_url} serves {base.name}"


def _questions(config: KnowledgeBase) -> str:
    questions = read_questions(config.questions.file)
    answers = sum("answers" in question.judged for question in questions)
    refusals = sum(not question.answerable for question in questions)
    return f"{len(questions)}, of them {refusals} to be refused, {answers} also for generated answers"


def _families(config: KnowledgeBase, listed: dict[str, list[str]]) -> str:
    families, uris = read_families(config.questions.families), [uri for found in listed.values() for uri in found]
    problems = family_problems(read_questions(config.questions.file), families)
    problems += [f"{claim} are in more than one family; keep one" for claim in families.claimed_twice(uris)]
    if problems:
        raise ConfigurationError(
            f"Expected every document in one family and every question to name its own, found {len(problems)} "
            f"problem(s). Mend them: {'; '.join(problems[:20])}"
        )
    missing = sorted({block.name for block in config.ingestion.sources} - listed.keys())
    but = f"; not compared with what {', '.join(missing)} would list" if missing else ""
    return f"{len(families.patterns)} named, every other document is one of its own{but}"


def _pools(config: KnowledgeBase) -> str:
    """Which ones, and who tells whether they are there: no task and no plain process can look one up."""
    return (
        f"{', '.join(sorted(config.own_pools))}, not looked up. `airflow pools list` says whether they are there, and "
        "so do Liftgate's page in Airflow and the task take_a_slot of the DAG housekeeping: tasks of a pool that is "
        "missing stay scheduled."
    )


def _notify(config: KnowledgeBase) -> str:
    """Names that can be nothing are a mistake; whether the others are there, Airflow alone can tell."""
    if wrong := sorted({rule.using for rule in config.notify if "." not in rule.using} - {"webhook", "email", "slack"}):
        raise ConfigurationError(
            f"Expected `using` of `notify` to be webhook, email, slack or the dotted path of a notifier, found "
            f"{', '.join(wrong)}. Correct it."
        )
    told = sorted({rule.using + (f" by connection {rule.conn_id}" if rule.conn_id else "") for rule in config.notify})
    return f"{', '.join(told)}, not looked up: the task doctor of the DAG housekeeping does that."


def _tokenizer(model: str, models_dir: str) -> str:
    """Workers count tokens, whoever has the weights."""
    return f"{base_tokenizer(model, models_dir).count(TRIAL)} tokens for a question of four words"


def _cluster(job: JobBlock, clusters: Clusters) -> str:
    require_packages("kubeflow", "kubeflow", "kubernetes")
    from liftgate.jobs.kinds import kind_named
    from liftgate.jobs.rights import require_rights

    return require_rights(clusters(job.kubernetes_conn_id), kind_named(job.backend, job.runtime), job.namespace)
