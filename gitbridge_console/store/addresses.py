"""Where a store is: one server, a primary that Sentinels name, or a Cluster; read from a URL, and shown without its passwords.

``redis://`` ``rediss://`` ``unix://``                          one server
``redis+sentinel://s1:26379,s2:26379/SERVICE[/DB]``             the primary of a service; ``rediss+sentinel`` with TLS
``redis+cluster://n1:6379,n2:6379``                             a Cluster, from any of its nodes; ``rediss+cluster`` with TLS
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

Topology = Literal["standalone", "sentinel", "cluster"]

SCHEMES = ("redis", "rediss", "unix", "redis+sentinel", "rediss+sentinel", "redis+cluster", "rediss+cluster")
DEFAULT_PORTS: dict[Topology, int] = {"standalone": 6379, "sentinel": 26379, "cluster": 6379}
HOSTS_MAX = 32


@dataclass(frozen=True, slots=True)
class Address:
    """``server`` is a URL of one server that has the credentials, the database and the options; its host is the first of ``hosts``."""

    topology: Topology
    server: str
    hosts: tuple[tuple[str, int], ...] = ()
    service: str = ""
    """What the Sentinels call the primary."""
    sentinel_username: str | None = None
    sentinel_password: str | None = None

    @classmethod
    def parse(cls, url: str) -> Address:
        """Read a URL.

        Raises:
            ValueError: what is wrong with it, without anything of the URL that may be secret.
        """
        parts = urlsplit(url)
        scheme, plus, kind = parts.scheme.partition("+")
        if parts.scheme not in SCHEMES:
            raise ValueError(f"use {', '.join(f'{known}://' for known in SCHEMES)}")
        if not plus:
            _ = parts.port
            return cls("standalone", url)
        topology: Topology = "sentinel" if kind == "sentinel" else "cluster"
        credentials, at, hosts = parts.netloc.rpartition("@")
        found = tuple(_host(part, DEFAULT_PORTS[topology]) for part in hosts.split(","))
        if len(found) > HOSTS_MAX:
            raise ValueError(f"{len(found)} hosts are named, at most {HOSTS_MAX} are looked at")
        path = [part for part in parts.path.split("/") if part]
        options = dict(parse_qsl(parts.query))
        own = {name: options.pop(name, None) for name in ("sentinel_username", "sentinel_password")} if topology == "sentinel" else {}
        service, db = _place(topology, path)
        host, port = found[0]
        server = urlunsplit((scheme, f"{credentials}{at}{_shown_host(host)}:{port}", f"/{db}", urlencode(options), ""))
        return cls(topology, server, found, service, **own)


def redact_url(url: str) -> str:
    """The URL with every password replaced by ``***``; what cannot be parsed is not shown at all."""
    try:
        parts = urlsplit(url)
        if parts.scheme in SCHEMES:
            Address.parse(url)
        else:
            _ = parts.port
    except ValueError:
        return "(unreadable URL)"
    if not parts.scheme:
        return "(unreadable URL)"
    credentials, at, host = parts.netloc.rpartition("@")
    user, colon, _ = credentials.partition(":")
    netloc = f"{user}{colon}{'***' if colon else ''}{at}{host}"
    query = "&".join(f"{name}=***" if "pass" in name.lower() else f"{name}{eq}{value}" for name, eq, value in _query_parts(parts.query))
    shown = urlunsplit((parts.scheme, netloc, parts.path, query, ""))
    return shown if netloc else shown.replace(":/", ":///", 1)


def secrets_of(url: str) -> list[str]:
    """Every password in a URL, to be taken out of messages of others."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return []
    password = parts.netloc.rpartition("@")[0].partition(":")[2]
    asked = [value for name, value in parse_qsl(parts.query) if "pass" in name.lower()]
    return [secret for secret in (password, *asked) if secret]


def _place(topology: Topology, path: list[str]) -> tuple[str, int]:
    """Name of the service and number of the database."""
    if topology == "cluster":
        if path not in ([], ["0"]):
            raise ValueError("a Cluster has no databases: leave the path away")
        return "", 0
    if not path or len(path) > 2:
        raise ValueError("name the service behind the hosts: redis+sentinel://s1:26379,s2:26379/SERVICE or …/SERVICE/DB")
    db = path[1] if len(path) == 2 else "0"
    if not db.isdecimal():
        raise ValueError("the database behind the service is no number")
    return path[0], int(db)


def _host(text: str, default_port: int) -> tuple[str, int]:
    parts = urlsplit(f"//{text}")
    if not parts.hostname or parts.username is not None:
        raise ValueError("one of the hosts is empty or unreadable: write them as host:port,host:port")
    return parts.hostname, parts.port or default_port


def _shown_host(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _query_parts(query: str) -> list[tuple[str, str, str]]:
    return [part.partition("=") for part in query.split("&") if part]
