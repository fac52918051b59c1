"""The gate of some strategies alone, without an app."""

from types import SimpleNamespace

from e2ereset.factors.budgets import Budgets
from e2ereset.factors.challenges import Challenges
from e2ereset.factors.rechecks import Rechecks
from e2ereset.factors.stepup import StepUp
from e2ereset.factors.traces import Traces


def make_gate(parts, strategies):
    """A StepUp of these strategies, and the budgets and challenges that it uses."""
    budgets = Budgets(parts.transactions)
    challenges = Challenges(parts, strategies, budgets)
    traces = Traces(parts, budgets, methods=tuple(s.name for s in strategies))
    stepup = StepUp(
        parts,
        budgets=budgets,
        challenges=challenges,
        rechecks=Rechecks(parts.accounts),
        traces=traces,
    )
    return SimpleNamespace(stepup=stepup, budgets=budgets, challenges=challenges)
