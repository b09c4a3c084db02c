"""Reconciling by hand: looking is free to everybody, having deliveries sent again is a write like any other."""

from __future__ import annotations

from contextlib import aclosing

from gitbridge_console.domain.deliveries import ReconcileReport
from gitbridge_console.hosts.github_api import GitHubApi
from gitbridge_console.hosts.tokens import TokenSource
from gitbridge_console.ingress.reconcile import BUSY, Reconciler
from gitbridge_console.ingress.reconcile_keeper import tell
from gitbridge_console.operations.door import Door
from gitbridge_console.operations.errors import Refused, Usage


class ReconcileOperations(Door):
    """What an operator can do about deliveries that never arrived."""

    async def reconcile(self, *, apply: bool = False) -> ReconcileReport:
        """Ask GitHub which deliveries never arrived; with ``apply`` for these again.

        Raises:
            Usage: nothing is configured to be looked at.
            Refused: somebody else is at it, or this process is read-only.
        """
        settings = self._settings()
        if not settings.reconcile.configured:
            raise Usage("nothing to reconcile: set reconcile.repositories, reconcile.organizations or reconcile.app, see docs hosts")
        token = TokenSource(lambda: self._settings().hosts.github)
        async with aclosing(GitHubApi(lambda: self._settings().hosts.github, token)) as api:
            reconciler = Reconciler(api, self._store.reconcile, lambda: self._settings().reconcile)
            if not apply:
                async with self._asking():
                    return _checked(await reconciler.run(apply=False, remember=False))
            async with self._writing("reconcile", "missed deliveries") as record:
                report = _checked(await reconciler.run(apply=True))
                await tell(self._store.inbox, report)
                record.result = f"{report.count('asked')} of {report.count()} asked for again"
            return report


def _checked(report: ReconcileReport) -> ReconcileReport:
    if report.problem == BUSY:
        raise Refused(f"{BUSY}: try again in a minute")
    return report
