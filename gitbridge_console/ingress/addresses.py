"""Who sends: the address of a request, behind proxies that are trusted, and whether it may send at all. Pure functions."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from functools import lru_cache

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

HOPS_MAX = 16
"""Entries of X-Forwarded-For that are looked at, from the nearest on."""


@lru_cache(maxsize=64)
def networks(written: tuple[str, ...]) -> tuple[Network, ...]:
    """The networks of settings that were checked when they were loaded."""
    return tuple(ipaddress.ip_network(text, strict=False) for text in written)


def read_address(text: str) -> Address | None:
    """The address, an IPv4 one where it is written as IPv6; ``None`` where it is none."""
    try:
        address = ipaddress.ip_address(text.strip().partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def contains(nets: Iterable[Network], address: Address) -> bool:
    """Whether the address is in one of them."""
    return any(address.version == net.version and address in net for net in nets)


def sender(peer: str, forwarded_for: Sequence[str], trusted: tuple[Network, ...]) -> Address | None:
    """The address a request comes from: that of the peer, or the last one named to a trusted proxy that is not itself trusted.

    ``None`` where that cannot be told: the peer has no address, or a trusted proxy names something that is none.
    """
    address = read_address(peer)
    if address is None or not contains(trusted, address):
        return address
    hops = [hop for line in forwarded_for for hop in line.split(",")]
    for hop in reversed(hops[-HOPS_MAX:]):
        if (address := read_address(hop)) is None or not contains(trusted, address):
            return address
    return address


def source_key(address: Address | None) -> str:
    """What counts as one source: an IPv4 address, or the 64-bit network an IPv6 address is in."""
    if address is None:
        return "unknown"
    return str(ipaddress.ip_network((address, 64), strict=False)) if address.version == 6 else str(address)
