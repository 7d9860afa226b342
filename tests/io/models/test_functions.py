"""A function by its import path."""

import pytest

from monitor_tasks.io.models import function_at
from monitor_tasks.value import UserError

NUMBER = 1


def test_a_function_is_found_by_its_path() -> None:
    assert function_at("python://math:sqrt")(4) == 2


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("python://math", "is no function; write it as python://package.module:function"),
        ("python://nowhere.here:f", "cannot be imported: ModuleNotFoundError: .*PYTHONPATH"),
        ("python://math:nothing", "cannot be imported: AttributeError"),
        ("python://tests.io.models.test_functions:NUMBER", "is no function but a int"),
    ],
)
def test_what_is_no_function_is_one_clear_error(address: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        function_at(address)
