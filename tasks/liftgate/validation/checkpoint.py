"""Runs a Great Expectations checkpoint over a table of derived columns, and writes its Data Docs.

The context is ephemeral: nothing is kept but the Data Docs in the folder given and the report returned.
Texts never reach Great Expectations, so that neither can hold any.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from liftgate.validation.report import Expected, Report

if TYPE_CHECKING:
    import pandas as pd

Rule = tuple[str, dict[str, Any], str]
"""Name of the expectation's class, its arguments, and what it means in words."""

_SAMPLE = 20
_NUMBERS = ("observed_value", "unexpected_count")


def run_checkpoint(
    suite: str, columns: Mapping[str, Sequence[Any]], id_column: str, rules: Sequence[Rule], docs_folder: Path
) -> Report:
    """Checks the rules over the columns. Importing Great Expectations takes 3 to 10 s, once per process."""
    os.environ["GX_ANALYTICS_ENABLED"] = "false"  # read when the package is imported
    import great_expectations as gx
    import pandas as pd

    frame = pd.DataFrame(dict(columns))
    context = gx.get_context(mode="ephemeral", project_config=_project(docs_folder))
    checkpoint = _checkpoint(gx, context, suite, id_column, rules)
    result = checkpoint.run(batch_parameters={"dataframe": frame})
    return _report(suite, frame, id_column, next(iter(result.run_results.values())), docs_folder)


def _project(docs_folder: Path) -> Any:
    from great_expectations.data_context.types import base

    docs_folder.mkdir(parents=True, exist_ok=True)
    store = {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(docs_folder.resolve())}
    index = {"class_name": "DefaultSiteIndexBuilder"}
    site = {"class_name": "SiteBuilder", "store_backend": store, "site_index_builder": index}
    return base.DataContextConfig(
        store_backend_defaults=base.InMemoryStoreBackendDefaults(),
        data_docs_sites={"liftgate": site},
        progress_bars=base.ProgressBarsConfig(globally=False),
        analytics_enabled=False,
    )


def _checkpoint(gx: Any, context: Any, suite: str, id_column: str, rules: Sequence[Rule]) -> Any:
    asset = context.data_sources.add_pandas("liftgate").add_dataframe_asset(suite)
    expectations = [getattr(gx.expectations, name)(**arguments, notes=sentence) for name, arguments, sentence in rules]
    definition = gx.ValidationDefinition(
        name=suite,
        data=asset.add_batch_definition_whole_dataframe("all rows"),
        suite=context.suites.add(gx.ExpectationSuite(name=suite, expectations=expectations)),
    )
    return context.checkpoints.add(
        gx.Checkpoint(
            name=suite,
            validation_definitions=[context.validation_definitions.add(definition)],
            actions=[gx.checkpoint.UpdateDataDocsAction(name="data_docs", site_names=["liftgate"])],
            result_format={
                "result_format": "COMPLETE",
                "unexpected_index_column_names": [id_column],
                "partial_unexpected_count": _SAMPLE,
            },
        )
    )


def _report(suite: str, frame: pd.DataFrame, id_column: str, result: Any, docs_folder: Path) -> Report:
    return Report(
        suite=suite,
        passed=bool(result.success),
        rows=len(frame),
        expected=tuple(_expected(one, id_column) for one in result.results),
        docs=str(docs_folder.resolve() / "index.html"),
    )


def _expected(one: Any, id_column: str) -> Expected:
    found, config = one.result or {}, one.expectation_config
    observed = next((found[name] for name in _NUMBERS if isinstance(found.get(name), int | float)), None)
    ids = [str(row[id_column]) for row in found.get("partial_unexpected_index_list") or []]
    return Expected(
        sentence=str(config.notes),
        expectation=str(config.type),
        column=str(config.kwargs.get("column", "")),
        passed=bool(one.success),
        observed=observed,
        failed=int(found.get("unexpected_count") or 0),
        sample_ids=tuple(dict.fromkeys(ids)),
    )
