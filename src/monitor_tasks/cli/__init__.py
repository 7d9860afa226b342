"""The same verbs from a terminal. Exit codes: 0 no violations, 1 violations, 2 error, 3 no data or not enough."""

from importlib import import_module

from monitor_tasks.cli.commands import EXIT, app

__all__ = ["EXIT", "app"]

for _name in ("windows", "tables", "comparisons", "models", "pages", "moving"):  # in the order of the help
    import_module(f"{__name__}.{_name}")
