"""Each test gets a fleet of its own, over each wire in turn."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
from services import Opener, fleet
from wire import KEY, WIRES, Wire


@pytest.fixture(params=WIRES, ids=[wire.api for wire in WIRES])
def wire(request: pytest.FixtureRequest) -> Wire:
    """The wire format the preferred service speaks."""
    found: Wire = request.param
    return found


@pytest.fixture
def open_fleet(valkey_url: str, namespace: str, tmp_path: Path, wire: Wire, monkeypatch: pytest.MonkeyPatch) -> Opener:
    """Opens a fleet whose preferred service speaks ``wire``."""
    monkeypatch.setenv("FAILOVER_KEY", KEY)
    return partial(fleet, valkey_url, namespace, tmp_path, wire)
