"""Formula: the true log-odds that an applicant defaults."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

CONSOLIDATION = "debt consolidation"
UNSECURED = ("education", CONSOLIDATION)
PURPOSE_RISK = {CONSOLIDATION: 0.1, "education": 0.1, "car": 0.0, "home, garden": -0.1}
HOME_RISK = {"family": 0.2, "rent": 0.2, "mortgage": -0.2, "own": -0.2}

MEDIAN_LOAN_TO_INCOME = 0.2725
"""exp(9.2 - 10.5): the median loan over the median yearly income of the healthy world."""
USUAL_DEBT = 0.45
LONG_TERM = 60
SHORT_TERM = 24


@dataclass(frozen=True)
class Formula:
    """Weights of the log-odds of default, per unit of each feature; numbers are centred on a usual applicant."""

    intercept: float = -1.2
    debt_stress: float = 8.0
    term_stress: float = 5.0
    late_payments: float = 0.3
    credit_history_years: float = -0.03
    employment_years: float = -0.02
    loan_to_income: float = 0.3
    """Per unit of the logarithm of loan_amount over income."""

    def log_odds(self, applicants: pd.DataFrame) -> NDArray[np.float64]:
        """The log-odds of default, one number per applicant."""
        odds = (
            self.intercept
            + self.debt_stress * debt_stress(applicants)
            + self.term_stress * term_stress(applicants)
            + self.late_payments * applicants["late_payments"].clip(upper=5)
            + self.credit_history_years * (applicants["credit_history_years"] - 12)
            + self.employment_years * (applicants["employment_years"] - 8)
            + self.loan_to_income * loan_to_income(applicants)
            + applicants["purpose"].map(PURPOSE_RISK).astype(np.float64)
            + applicants["home_ownership"].map(HOME_RISK).astype(np.float64)
        )
        return odds.to_numpy(np.float64)


def loan_to_income(applicants: pd.DataFrame) -> "pd.Series[float]":
    """The logarithm of the loan over the yearly income, 0 for the usual applicant of the healthy world."""
    ratio = applicants["loan_amount"] / applicants["income"] / MEDIAN_LOAN_TO_INCOME
    return pd.Series(np.log(ratio), index=applicants.index)


def debt_stress(applicants: pd.DataFrame) -> "pd.Series[float]":
    """Debt beyond what is usual, on a logit scale and either way; 0 unless the purpose is an unsecured one."""
    debt = applicants["debt_to_income"]
    logit = pd.Series(np.log(debt / (1 - debt)), index=applicants.index) + 0.9
    return (logit - logit.clip(-USUAL_DEBT, USUAL_DEBT)).where(applicants["purpose"].isin(UNSECURED), 0.0)


def term_stress(applicants: pd.DataFrame) -> "pd.Series[float]":
    """1 for a long term, -1 for a short one; 0 if the term is usual or the purpose an unsecured one."""
    term = applicants["loan_term_months"]
    stress = (term >= LONG_TERM).astype(np.float64) - (term <= SHORT_TERM).astype(np.float64)
    return stress.where(~applicants["purpose"].isin(UNSECURED), 0.0)
