"""The providers an engine has: their clients, and what becomes of them when settings or keys change."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Mapping, Sequence

from gitbridge_console.providers.base import Provider
from gitbridge_console.providers.registry import build_provider, key_problem, key_stamp, resolve_key
from gitbridge_console.router.breaker import CircuitBreaker
from gitbridge_console.router.provider_state import ProviderState
from gitbridge_console.settings.model import Settings
from gitbridge_console.settings.routing import ProviderSettings

logger = logging.getLogger(__name__)

Build = Callable[[str, ProviderSettings], Provider | str]
"""Makes the client of a provider, or the line that says why it has none."""


def client_or_problem(name: str, settings: ProviderSettings) -> Provider | str:
    """A client for one configured provider, or the line that says why it has none."""
    if not settings.enabled:
        return "switched off in the settings"
    problem = key_problem(name, settings)
    if problem is not None:
        return problem
    return build_provider(name, settings, resolve_key(settings))


class ProviderPool:
    """One state for each configured provider; those that are replaced live on until their last call has ended."""

    def __init__(self, settings: Settings, providers: Mapping[str, Provider | str], rng: random.Random) -> None:
        """``providers`` maps each configured name to its client, or to the line that says why it has none."""
        self._random = rng
        self.states: dict[str, ProviderState] = {}
        self.unbuilt: dict[str, str] = {}
        """Providers whose client cannot be built as the settings say, and why."""
        self._retired: list[ProviderState] = []
        for name, own in settings.providers.items():
            self.states[name] = self._state(name, own, providers.get(name, "not built"), settings)

    def _state(self, name: str, own: ProviderSettings, client: Provider | str, settings: Settings) -> ProviderState:
        provider, problem = (None, client) if isinstance(client, str) else (client, "")
        return ProviderState(name, own, provider, problem, CircuitBreaker(settings.breaker, self._random.random))

    async def apply(self, new: Settings, old: Settings, build: Build) -> list[str]:
        """Take over changed settings; providers whose table did not change keep client, health and history.

        A provider whose client cannot be built keeps what it had and stands in :attr:`unbuilt`; :meth:`retry` tries again.
        Returns the names that are gone.
        """
        gone = [name for name in self.states if name not in new.providers]
        for name in gone:
            self._retired.append(self.states.pop(name))
        changed = []
        for name, own in new.providers.items():
            known = self.states.get(name)
            same = known is not None and known.settings == own and new.breaker == old.breaker
            if known is None or not same or known.problem or known.disabled or name in self.unbuilt:
                changed.append(name)
        self._build(changed, new, build)
        await self.close_retired()
        return gone

    async def retry(self, settings: Settings, build: Build) -> None:
        """Try again to build the clients that could not be built, and nothing else."""
        self._build(list(self.unbuilt), settings, build)
        await self.close_retired()

    async def renew_keys(self, settings: Settings, build: Build) -> list[str]:
        """Build anew the clients whose key file has changed, so that a key can be rotated under way; returns whose."""
        changed = [name for name, state in self.states.items() if key_stamp(state.settings) != state.key_stamp]
        if changed and not self.unbuilt:
            logger.info("%s: the key file has changed, the client is built anew", ", ".join(changed))
            self._build(changed, settings, build)
        return changed

    def _build(self, names: Sequence[str], new: Settings, build: Build) -> None:
        before, self.unbuilt = self.unbuilt, {}
        for name in names:
            own = new.providers[name]
            try:
                client = build(name, own)
            except Exception as error:
                text = f"its client cannot be built: {' '.join(str(error).split())[:200] or type(error).__name__}"
                self.unbuilt[name] = text
                if before.get(name) != text:
                    logger.exception("%s: %s; it is tried again", name, text)
                if name in self.states:
                    continue
                client = text
            state = self._state(name, own, client, new)
            if name in self.states:
                state.learn_from(self.states[name])
                self._retired.append(self.states[name])
            self.states[name] = state

    def holding(self) -> dict[str, ProviderSettings]:
        """The provider tables that really hold: of one whose client cannot be built the one from before, or none."""
        return {name: state.settings for name, state in self.states.items() if state.provider is not None or name not in self.unbuilt}

    async def close_retired(self) -> None:
        """Close clients that were replaced or removed, each once its last call has ended."""
        idle = [state for state in self._retired if not state.in_flight]
        self._retired = [state for state in self._retired if state.in_flight]
        for state in idle:
            await state.close()

    async def aclose(self) -> None:
        """Close every client, whatever it is in the middle of."""
        leaving = [*self._retired, *self.states.values()]
        self._retired = []
        for state in leaving:
            await state.close()
