"""Constraints and the user's suite as Great Expectations over a profile; the only room that knows the library.

    findings --constraints--> suite --.
                                       >-- engine that answers from the profile --> verdicts --> findings
    user's suite ---------------------'                     | NeedsRows
                                                            '--> plain pandas pass over the rows

One expectation is answered wholly from the profile or wholly from one set of rows, never both: the engine raises for
what it cannot answer exactly. The hook is not public API of GX; it is tried on 1.24.
"""

from monitor_tasks.monitors.expectations.validation import Validation, validate

__all__ = ["Validation", "validate"]
