"""What no published sample shows (marked UNVERIFIED in the contracts), and where ours is known to be another."""

from typing import NamedTuple

DATA, MODEL = "data quality", "model quality"
STATISTICS, CONSTRAINTS, VIOLATIONS, DRIFT = (
    f"{DATA}: {part}" for part in ("`statistics.json`", "`constraints.json`", "violations", "drift")
)


class Fact(NamedTuple):
    """Something about SageMaker, and what is done about it."""

    where: str
    what: str
    ours: str


UNPROVEN = (
    Fact(
        STATISTICS,
        "text columns, of which no sample has one: order and cut-off of the categories, exactness of `distinct_count`",
        "by falling count, then by text; categories of up to 120 different ones; counted exactly",
    ),
    Fact(STATISTICS, "churn columns 16 to 70: the published log ends before", "the same code as for the first 15"),
    Fact(STATISTICS, "`Boolean` as an inferred type", "written as deequ names it"),
    Fact(STATISTICS, "NaN and infinite cells", "present; in no sum, sketch, smallest or largest"),
    Fact(STATISTICS, "numbers that arrive typed (JSON): `1.0` against `1`", "by the digits that were sent"),
    Fact(
        f"{DATA}: KLL sketch",
        "more than one compaction (over about 3,400 rows); several Spark partitions",
        "deequ's rule; one partition, in the order of the files",
    ),
    Fact(CONSTRAINTS, "`completeness` of an incomplete column: the ratio, or a lower bound of it", "the ratio"),
    Fact(CONSTRAINTS, "order of `domains`", "by falling count, as in deequ"),
    Fact(
        VIOLATIONS,
        "texts of `baseline_drift_check`, `missing_column_check` and `extra_column_check`; newer texts of "
        "`completeness_check` and `categorical_values_check`",
        "those of 2019 where one was seen, else what is believed",
    ),
    Fact(VIOLATIONS, "whether missing cells count in a type match", "they do not, as in deequ"),
    Fact(
        VIOLATIONS,
        "whether an Integral cell meets Fractional, and how many cells of String have to be texts",
        "no; one",
    ),
    Fact(VIOLATIONS, "whether `is_non_negative` is evaluated", "written; a check that is off until it is enabled"),
    Fact(
        DRIFT,
        "SageMaker's distances: no published run shows one together with its inputs",
        "deequ's formulas, and its vectors",
    ),
    Fact(
        DRIFT,
        "`ChiSquared`: whether p-value or statistic is compared, and in which direction",
        "read, kept and switched off, with the reason; `chi_square` of ours is another test",
    ),
    Fact(
        f"{MODEL}: statistics",
        "deviations: seed and formula of the resampling",
        "of counts 1,000 resamples, of a regression's rows 200; not compared",
    ),
    Fact(f"{MODEL}: statistics", "keys of a file without probabilities", "curves and AUC are left out"),
    Fact(f"{MODEL}: merge", "two labels of one id", "the first one counts, the other is told as conflicting"),
    Fact(
        "bias: `analysis.json`",
        "CDDPL on real predictions: those of the published runs are not published",
        "the contract's formula",
    ),
    Fact(
        VIOLATIONS,
        "the drift of a column that fails its type check: 60 violations in the runs of 2021 and 2022 on the churn "
        "traffic, 61 in that of 2020",
        "not told in this file, as since 2021; our report tells it",
    ),
    Fact("bias: violations", "metrics that are null on one side", "undecided, not flagged"),
    Fact("attribution: nDCG", "negative global values", "undecided, with the reason"),
    Fact("text of numbers", "digits of long mantissas in Java, beyond the samples", "the shortest that reads back"),
)
DIFFERENCES = (
    Fact(DRIFT, "counted on the buckets' sketch", "counted on 2,048 edges of the baseline, off by less than 0.001"),
    Fact(DRIFT, "two of deequ's six vectors: a correction by alpha, and its chi-square test", "not computed"),
    Fact(f"{MODEL}: violations", "`f0_5` is not judged", "it is, unless `strict_compatibility` is set"),
    Fact(
        f"{MODEL}: statistics",
        "the best constant classifier predicts class 1 in the documentation's examples, the more frequent one in a run",
        "the more frequent one",
    ),
    Fact(
        "bias: `analysis.json`",
        "FT, the flip test, on all rows; which of equally near ones count depends on their order",
        "on a sample of 1,024 different rows, up to as many on all; the order is that of their hashes",
    ),
    Fact(
        "bias: facets", "3 codes in 60 rows or fewer are a continuous column", "up to 10 whole numbers are categories"
    ),
    Fact(
        "bias: violations",
        "DI is judged by its distance from 0",
        "by the usual rule the same; by `interval` from 1, on the logarithm's scale",
    ),
)
