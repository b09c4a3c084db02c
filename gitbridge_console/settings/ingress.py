"""Settings of the HTTP door."""

from __future__ import annotations

import ipaddress

from pydantic import Field, field_validator

from gitbridge_console.settings.table import PositiveSeconds, Table


class IngressSettings(Table):
    """The HTTP door. Secrets are named, never written here."""

    secret_env: tuple[str, ...] = ("GITBRIDGE_WEBHOOK_SECRET",)
    secret_files: tuple[str, ...] = ()
    allow_unsigned_loopback: bool = False
    source_networks: tuple[str, ...] = ()
    trusted_proxies: tuple[str, ...] = ()
    source_requests_per_s: float = Field(1_000.0, ge=0, le=1_000_000)
    max_body_bytes: int = Field(25 * 1024 * 1024, ge=1024, le=256 * 1024 * 1024)
    body_timeout_s: PositiveSeconds = 20.0
    headers_timeout_s: PositiveSeconds = 10.0
    keep_alive_s: PositiveSeconds = 5.0
    max_connections: int = Field(256, ge=1)
    max_connections_per_source: int = Field(128, ge=0)
    store_patience_s: float = Field(0.7, gt=0, le=8)
    spool_dir: str = ""
    spool_max_bytes: int = Field(1024**3, ge=0)

    @field_validator("source_networks", "trusted_proxies")
    @classmethod
    def _networks(cls, written: tuple[str, ...]) -> tuple[str, ...]:
        for text in written:
            try:
                ipaddress.ip_network(text, strict=False)
            except ValueError:
                raise ValueError(f"{text!r} is no network: write 192.0.2.0/24, 2001:db8::/32 or one address") from None
        return written
