"""The library at work: loaded once, quiet, sending nothing; it answers expectations from a profile or from rows."""

import logging
import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

from monitor_tasks.monitors.expectations.answers import SHOWN
from monitor_tasks.monitors.expectations.known import Known
from monitor_tasks.monitors.expectations.results import Expectation, Result, failed_result, plain_result
from monitor_tasks.profiles.batches import without_cycles

if TYPE_CHECKING:
    import pandas as pd


AT_ONCE = 2_000
"""So many expectations are asked at once: GX holds what it makes of each of them until all are answered."""


def run(asked: Mapping[int, Expectation], source: "Known | pd.DataFrame") -> dict[int, Result]:
    """GX's result for every expectation, all answered from one source; of many, some after the others."""
    numbers, results = list(asked), dict[int, Result]()
    for start in range(0, len(numbers), AT_ONCE):
        some = {number: asked[number] for number in numbers[start : start + AT_ONCE]}
        results |= _validated(some, _batch(source))
    return results


@cache
def library() -> Any:
    """The library: no telemetry, and no warning for what a finding says anyway."""
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    import great_expectations as gx

    import monitor_tasks.monitors.expectations.source  # noqa: F401  # it registers what this room adds

    logging.getLogger("great_expectations.validator").setLevel(logging.CRITICAL)
    return gx


@contextmanager
def _quiet() -> Iterator[None]:
    """Warnings that the library and pandas give each other are nothing that our user could mend."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@_quiet()
def expectation_object(item: Expectation) -> Any:
    """The library's own expectation, once it is loaded; it raises what it thinks of the type and the arguments."""
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

    return ExpectationConfiguration(**item).to_domain_obj()


@_quiet()
@without_cycles()
def _validated(asked: Mapping[int, Expectation], batch: Any) -> dict[int, Result]:
    """GX's results on a batch; an expectation that would break the whole run is found by running each alone."""
    gx = library()
    suite = gx.ExpectationSuite(name="data", expectations=[expectation_object(item) for item in asked.values()])
    shown = {"result_format": "BASIC", "partial_unexpected_count": SHOWN}
    broken = (gx.exceptions.GreatExpectationsError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
    try:
        results = [plain_result(each.to_json_dict()) for each in batch.validate(suite, result_format=shown).results]
    except broken as error:
        if len(asked) > 1:
            return {number: _validated({number: item}, batch)[number] for number, item in asked.items()}
        return {number: failed_result(item, error) for number, item in asked.items()}
    return {result["expectation_config"]["meta"]["number"]: result for result in results}


def _batch(source: "Known | pd.DataFrame") -> Any:
    """The frame of rows as a batch, or an empty frame that carries the profile."""
    import pandas as pd

    sources = _context().data_sources
    if isinstance(source, Known):
        data, over = pd.DataFrame(), sources.add_profile("data")
        data.attrs["known"] = source
    else:
        data, over = source, sources.add_pandas("data")
    whole = over.add_dataframe_asset("data").add_batch_definition_whole_dataframe("data")
    return whole.get_batch(batch_parameters={"dataframe": data})


def _context() -> Any:
    gx = library()
    from great_expectations.data_context.types.base import DataContextConfig, InMemoryStoreBackendDefaults

    # Without a config of its own every context leaves a directory for a docs site in the temporary folder.
    config = DataContextConfig(
        store_backend_defaults=InMemoryStoreBackendDefaults(init_temp_docs_sites=False),
        progress_bars={"globally": False, "metric_calculations": False},
        analytics_enabled=False,
    )
    return gx.get_context(mode="ephemeral", project_config=config)
