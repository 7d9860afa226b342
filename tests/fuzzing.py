"""Cases that a fuzzer makes of a dashboard's own OpenAPI, whoever serves it."""

from collections import Counter
from typing import Any

import schemathesis
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from tests.watched import step

KNOWN = {
    "endpoint": ["churn"], "window": [step(0), step(1), step(2)], "monitor": ["data_quality", "bias"],
    "file": ["report.json", "report.html", "profile.json"],
}  # fmt: skip
"""What is really there, so that many a case gets beyond the first question."""


def answers(schema: Any, client: Any, cases: int, below: str = "") -> Counter[int]:
    """The codes of a client's answers to so many cases of every address of a schema; none of them is a 5xx."""
    found = Counter[int]()
    for asked in schema.get_all_operations():
        operation = asked.ok()

        @seed(7)
        @settings(max_examples=cases, deadline=None, suppress_health_check=list(HealthCheck), database=None)
        @given(operation.as_strategy(), st.data())
        def ask(case: schemathesis.Case, data: st.DataObject) -> None:
            for name in case.path_parameters:
                if name in KNOWN and data.draw(st.booleans()):
                    case.path_parameters[name] = data.draw(st.sampled_from(KNOWN[name]))
            answer = client.request(case.method, below + case.formatted_path, params=case.query)
            found[answer.status_code] += 1
            assert answer.status_code < 500, (case.formatted_path, case.query, answer.text[:300])

        ask()
    return found
