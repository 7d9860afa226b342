"""What goes wrong between an applicant and the endpoint: each fault changes the table in place."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from examples.loan_scoring.formula import Formula

LOAN_FILE = ("debt_to_income", "late_payments", "purpose", "loan_term_months")
MIXED_UP_SHARE = 0.6
UNSEEN_HOME = "co-living"


def lose_debt(applicants: pd.DataFrame, share: float, generator: np.random.Generator) -> None:
    """The field debt_to_income arrives empty for a share of the applicants."""
    applicants["debt_to_income"] = applicants["debt_to_income"].mask(generator.random(len(applicants)) < share)


def rename_home(applicants: pd.DataFrame, share: float, generator: np.random.Generator) -> None:
    """A share of the applicants arrives with a category of home_ownership that did not exist before."""
    lost = generator.random(len(applicants)) < share
    applicants["home_ownership"] = applicants["home_ownership"].mask(lost, UNSEEN_HOME)


def mix_up_files(applicants: pd.DataFrame, group: str, formula: Formula) -> NDArray[np.float64]:
    """Most of the group's loan files are exchanged with those of the riskiest strangers; returns the true log-odds.

    No feature's own distribution changes, since files only change owners. The strangers become the people their new
    files describe; the group does not: it defaults as before and only looks worse.
    """
    before = formula.log_odds(applicants)
    inside = (applicants["age_group"] == group).to_numpy()
    members = np.flatnonzero(inside)[: round(MIXED_UP_SHARE * inside.sum())]
    strangers = np.argsort(np.where(inside, -np.inf, before), kind="stable")[::-1][: len(members)]
    owner = np.arange(len(applicants))
    owner[members], owner[strangers] = strangers, members
    for name in LOAN_FILE:
        applicants[name] = applicants[name].to_numpy()[owner]
    return np.where(inside, before, formula.log_odds(applicants))
