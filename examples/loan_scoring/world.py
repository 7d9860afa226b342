"""World: the people who apply for a loan in one hour, and who of them will default."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit, ndtr, ndtri

from examples.loan_scoring import faults
from examples.loan_scoring.formula import CONSOLIDATION, Formula

NUMBERS = (
    "income",
    "loan_amount",
    "loan_term_months",
    "debt_to_income",
    "credit_history_years",
    "open_accounts",
    "late_payments",
    "employment_years",
)
CATEGORIES = ("home_ownership", "purpose", "region", "age_group")
FEATURES = NUMBERS + CATEGORIES
LABEL = "default"
LATENTS = 15

TERMS = {"12": 0.08, "24": 0.12, "36": 0.30, "48": 0.30, "60": 0.12, "72": 0.08}
HOMES = {"family": 0.10, "rent": 0.42, "mortgage": 0.32, "own": 0.16}
PURPOSES = {"home, garden": 0.27, "car": 0.33, "education": 0.16, CONSOLIDATION: 0.24}
REGIONS = {"north": 0.20, "east": 0.27, "west": 0.23, "south": 0.30}
AGE_GROUPS = {"18-29": 0.24, "30-44": 0.32, "45-59": 0.26, "60+": 0.18}
USUAL = Formula()

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class World:
    """Everything that may change about the applicants; the defaults are the healthy world."""

    income_scale: float = 1.0
    amount_scale: float = 1.0
    purpose_habit: float = 0.99
    """How closely the purpose goes with what is unusual about an applicant, -1 to 1.

    At 1 an unusual debt_to_income or loan_term_months is that of somebody who borrows unsecured, at -1 that of somebody
    who borrows secured. No feature's own distribution depends on it.
    """
    missing_debt: float = 0.0
    """Share of applicants whose debt_to_income is not sent."""
    unseen_home: float = 0.0
    """Share of applicants whose home_ownership is a category that the model never saw."""
    mixed_up_group: str | None = None
    """Age group whose loan files are exchanged with those of riskier strangers."""
    formula: Formula = USUAL


def draw(world: World, count: int, generator: np.random.Generator) -> pd.DataFrame:
    """`count` applicants as the endpoint sees them: the columns FEATURES, then the true label `default`."""
    applicants = _applicants(world, generator.standard_normal((LATENTS, count)))
    log_odds = world.formula.log_odds(applicants)
    if world.mixed_up_group is not None:
        log_odds = faults.mix_up_files(applicants, world.mixed_up_group, world.formula)
    applicants[LABEL] = (generator.random(count) < expit(log_odds)).astype(np.int64)
    faults.lose_debt(applicants, world.missing_debt, generator)
    faults.rename_home(applicants, world.unseen_home, generator)
    return applicants


def _applicants(world: World, noise: Floats) -> pd.DataFrame:
    """Applicants whose features are cut from standard normal latents, one row of `noise` each."""
    age, strain = noise[0], noise[1]
    career = 1 + 56 * ndtr(age)
    income = _follow(age, noise[2], 0.3)
    amount = _follow(income, noise[3], 0.85)
    history, purpose = noise[4], noise[11]
    debt = _unusual(_follow(strain, noise[6], 0.6), _follow(purpose, noise[13], world.purpose_habit))
    term = _unusual(noise[5], _follow(purpose, noise[14], world.purpose_habit))
    columns = {
        "income": np.rint(np.exp(10.5 + 0.5 * income) * world.income_scale / 10).astype(np.int64) * 10,
        "loan_amount": np.rint(np.exp(9.2 + 0.6 * amount) * world.amount_scale / 50).astype(np.int64) * 50,
        "loan_term_months": _cut(term, TERMS).astype(np.int64),
        "debt_to_income": expit(0.6 * debt - 0.9).round(3),
        "credit_history_years": (career * (0.1 + 0.7 * ndtr(history))).round(1),
        "open_accounts": np.exp(1.4 + 0.5 * _follow(history, noise[7], 0.5)).astype(np.int64),
        "late_payments": np.exp(0.9 * _follow(strain, noise[8], 0.5) - 0.3).astype(np.int64),
        "employment_years": (career * ndtr(noise[9] - 0.7)).round(1),
        "home_ownership": _cut(_follow(age, noise[10], 0.5), HOMES),
        "purpose": _cut(purpose, PURPOSES),
        "region": _cut(noise[12], REGIONS),
        "age_group": _cut(age, AGE_GROUPS),
    }
    return pd.DataFrame(columns, columns=list(FEATURES))


def _follow(parent: Floats, own: Floats, strength: float) -> Floats:
    """A standard normal latent whose correlation with `parent` is `strength`."""
    return np.asarray(strength * parent + np.sqrt(1 - strength**2) * own)


def _unusual(side: Floats, width: Floats) -> Floats:
    """A standard normal latent on the side of `side`, the farther from 0 the higher `width`."""
    return np.asarray(np.sign(side) * ndtri((1 + ndtr(width)) / 2))


def _cut(latent: Floats, shares: Mapping[str, float]) -> NDArray[np.str_]:
    """The category in whose share of the population the latent falls; neighbours in `shares` are alike."""
    bounds = np.cumsum(list(shares.values()))[:-1]
    return np.asarray(np.array(list(shares))[np.searchsorted(bounds, ndtr(latent))])
