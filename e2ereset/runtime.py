"""The services of e2ereset in one app, and how they are made."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import partial
from typing import Any, cast

from flask import Flask, current_app

from .audit import Sealer
from .background import Background
from .errors import SettingsError
from .factors.budgets import Budgets
from .factors.challenges import Challenges
from .factors.changes import FactorChanges
from .factors.enrolment import Factors
from .factors.grants import Grants
from .factors.own import OwnFactors
from .factors.rechecks import Rechecks
from .factors.remembered import Remembered
from .factors.resend import ASKED, Codes
from .factors.stepup import StepUp
from .factors.strategies import Strategy
from .factors.traces import Traces
from .factors.unlocks import Unlocks
from .http import Gates
from .jobs import Handler, Worker
from .languages import Words
from .mail import Mailer
from .parts import Parts
from .permissions.service import Permissions
from .permissions.targets import Targets
from .ports import KnowsReaders
from .records import Reader
from .reset.service import Resets
from .vault.service import Vault


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Runtime(Parts):
    """The parts and the services of one app; `get_e2ereset()` returns it."""

    strategies: tuple[Strategy, ...]
    budgets: Budgets
    traces: Traces
    permissions: Permissions
    stepup: StepUp
    resets: Resets
    vault: Vault
    factors: Factors
    own_factors: OwnFactors
    unlocks: Unlocks
    codes: Codes
    sealer: Sealer
    worker: Worker
    mailer: Mailer
    background: tuple[Background, ...]
    gates: Gates

    def start(self) -> None:
        """Start the mail and sealing threads of this process, if the settings want threads.

        It can be called again, also after `stop`. Each forked worker has to call it.
        """
        if self.settings.delivery == "thread":
            self.worker.ending.clear()
            for thread in self.background:
                thread.start()

    def ensure_running(self) -> None:
        """Start the threads that never ran in this process; each request calls this."""
        if self.settings.delivery == "thread":
            for thread in self.background:
                thread.ensure_running()

    def wake(self) -> None:
        """Have the threads deliver and seal at once what was committed."""
        self.gates.wake()

    def stop(self, timeout: float | None = None) -> None:
        """End the threads after their present mail and batch; wait `timeout` seconds for each.

        Only `start` starts them again, no request does.
        """
        self.worker.ending.set()
        for thread in self.background:
            thread.end()
        for thread in self.background:
            thread.stop(timeout)


def make_runtime(
    parts: Parts,
    *,
    strategies: tuple[Strategy, ...],
    mailer: Mailer,
    gates: Callable[..., Gates],
    in_context: Callable[..., bool],
    by_database: bool,
) -> Runtime:
    """Make the services from these parts.

    `gates` makes the gates from `note_refusal` and `wake`. `in_context` calls a function in the
    app's context. With `by_database` budgets use the database's clock, else that of the parts.
    """
    services = _make_services(parts, strategies, by_database=by_database)
    answer = partial(in_context, services["codes"].answer)
    worker, sealer = _make_worker(parts, mailer, answer), _make_sealer(parts)
    # Two threads, so that a mail relay that hangs does not delay the sealing.
    threads = (Background(worker.run_due), Background(sealer.seal))
    return Runtime(
        **{field.name: getattr(parts, field.name) for field in fields(parts)},
        **services,
        strategies=strategies,
        sealer=sealer,
        worker=worker,
        mailer=mailer,
        background=threads,
        gates=gates(
            allows=services["permissions"].allow_now,
            note_refusal=services["traces"].note_refusal,
            wake=partial(_wake, threads if parts.settings.delivery == "thread" else ()),
        ),
    )


def _make_services(
    parts: Parts, strategies: tuple[Strategy, ...], *, by_database: bool
) -> dict[str, Any]:
    """The services by their fields in Runtime, those first that others stand on."""
    budgets = Budgets(parts.transactions, parts.meter, by_database=by_database)
    methods = tuple(s.name for s in strategies)
    traces = Traces(parts, budgets, methods=methods)
    stepup = _make_stepup(parts, strategies, budgets, traces)
    permissions, changes = Permissions(parts.transactions), FactorChanges(parts, budgets)
    factors, vault = Factors(parts, budgets, changes, methods), Vault(parts, stepup.rechecks)
    guarded: dict[str, Any] = {"stepup": stepup, "targets": Targets(parts, permissions)}
    return {
        "budgets": budgets,
        "traces": traces,
        "permissions": permissions,
        "stepup": stepup,
        "resets": Resets(parts, traces=traces, vault=vault, **guarded),
        "vault": vault,
        "factors": factors,
        "own_factors": OwnFactors(
            parts, budgets=budgets, changes=changes, traces=traces, **guarded
        ),
        "unlocks": Unlocks(parts, factors=factors, **guarded),
        "codes": Codes(parts, stepup.challenges),
    }


def _make_stepup(
    parts: Parts, strategies: tuple[Strategy, ...], budgets: Budgets, traces: Traces
) -> StepUp:
    return StepUp(
        parts,
        challenges=Challenges(parts, strategies, budgets),
        budgets=budgets,
        rechecks=Rechecks(parts.accounts, parts.clock),
        grants=Grants(parts.accounts),
        remembered=Remembered(parts, strategies),
        traces=traces,
    )


def _make_sealer(parts: Parts) -> Sealer:
    file, publish = parts.settings.audit_checkpoints, None
    if file:
        from .audit.checkpoints import CheckpointFile  # few servers publish them

        publish = CheckpointFile(
            file,
            parts.transactions,
            parts.keyring,
            origin=parts.settings.audit_origin,
            clock=parts.clock,
        ).publish
    return Sealer(parts.transactions, parts.keyring, clock=parts.clock, publish=publish)


def _make_worker(parts: Parts, mailer: Mailer, answer: Handler) -> Worker:
    handlers = {**mailer.handlers(), ASKED: answer}
    return Worker(
        parts.transactions, parts.jobs, handlers, clock=parts.clock, entropy=parts.entropy
    )


def words_of(parts: Parts, account_id: str) -> Words:
    """The words of the language that this account reads; of the workspace's where none is known."""
    accounts, languages = parts.accounts, parts.languages
    if not account_id or not isinstance(accounts, KnowsReaders):
        return languages.words()
    with parts.transactions.look_up() as session:
        reader = accounts.reader(session, account_id) or Reader()
    return languages.words(reader.language, zone=reader.zone)


def _wake(background: tuple[Background, ...]) -> None:
    for thread in background:
        thread.wake()


def get_e2ereset(app: Flask | None = None) -> Runtime:
    """The services of this app, or of the current one. Raises SettingsError when it has none."""
    runtime = (app or current_app).extensions.get("e2ereset")
    if runtime is None:
        raise SettingsError("This app has no e2ereset. Call E2EReset(app, ...) first.")
    return cast(Runtime, runtime)
