"""Ports for servers that are told theirs before they start, and keep it when they are started again."""

from __future__ import annotations

import random
import socket

LOWEST, HIGHEST = 12_000, 21_999
"""Below those a system gives to whoever connects or asks for any: between the look and the start one of these would be gone at times.
The ports of a Cluster's own talk, 10,000 higher, are below them too."""

CLUSTER_BUS = 10_000


def free_port() -> int:
    """A port of this host nobody listens on just now, nor on the one a Cluster's node would use beside it."""
    while True:
        port = random.randint(LOWEST, HIGHEST)
        try:
            for each in (port, port + CLUSTER_BUS):
                with socket.socket() as found:
                    found.bind(("127.0.0.1", each))
        except OSError:
            continue
        return port
