"""GitHub and GitHub Enterprise Server: HMAC-SHA256 of the raw body in ``X-Hub-Signature-256``, payloads kept as they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gitbridge_console.ingress.dialects.base import DELIVERY, EVENT_TYPE, Delivery, required
from gitbridge_console.ingress.signature import verify

EVENT_HEADER, DELIVERY_HEADER, SIGNATURE_HEADER = "X-GitHub-Event", "X-GitHub-Delivery", "X-Hub-Signature-256"
SHA1_HEADER = "X-Hub-Signature"

EVENT_TYPES = frozenset(
    {
        "branch_protection_configuration", "branch_protection_rule", "cache_sync", "check_run", "check_suite",
        "code_scanning_alert", "commit_comment", "content_reference", "create", "custom_property", "custom_property_values",
        "delete", "dependabot_alert", "deploy_key", "deployment", "deployment_protection_rule", "deployment_review",
        "deployment_status", "discussion", "discussion_comment", "enterprise", "fork", "github_app_authorization", "gollum",
        "installation", "installation_repositories", "installation_target", "issue_comment", "issue_dependencies", "issues",
        "label", "marketplace_purchase", "member", "membership", "merge_group", "meta", "milestone", "org_block", "organization",
        "package", "page_build", "personal_access_token_request", "ping", "project", "project_card", "project_column",
        "projects_v2", "projects_v2_item", "projects_v2_status_update", "public", "pull_request", "pull_request_review",
        "pull_request_review_comment", "pull_request_review_thread", "push", "registry_package", "release", "repository",
        "repository_advisory", "repository_dispatch", "repository_import", "repository_ruleset", "repository_vulnerability_alert",
        "secret_scanning_alert", "secret_scanning_alert_location", "secret_scanning_scan", "security_advisory",
        "security_and_analysis", "sponsorship", "star", "status", "sub_issues", "team", "team_add", "user", "watch",
        "workflow_dispatch", "workflow_job", "workflow_run",
    }
)  # fmt: skip
"""As GitHub documents them, its server product's included. New ones appear at any time."""


class GitHubDialect:
    """See :class:`gitbridge_console.ingress.dialects.base.Dialect`."""

    name = "github"
    source = "webhook"
    headers = frozenset(header.lower() for header in (EVENT_HEADER, DELIVERY_HEADER, SIGNATURE_HEADER, SHA1_HEADER))

    def speaks(self, headers: Mapping[str, str]) -> bool:
        """Any of its headers is there."""
        return not self.headers.isdisjoint(headers)

    def unproven(self, headers: Mapping[str, str]) -> str | None:
        """SHA-1 alone is no proof: it can be forged."""
        if SIGNATURE_HEADER.lower() in headers:
            return None
        only_sha1 = "; SHA-1 signatures are not accepted" if SHA1_HEADER.lower() in headers else ""
        return f"{SIGNATURE_HEADER} is missing{only_sha1}"

    def verify(self, body: bytes, headers: Mapping[str, str], secrets: Sequence[bytes]) -> bool:
        """Whether the signature is the body's."""
        return verify(body, headers.get(SIGNATURE_HEADER.lower()), secrets)

    def read(self, headers: Mapping[str, str], payload: dict[str, Any], text: bytes) -> Delivery:
        """The payload is stored byte for byte; a redelivery has the id of the first delivery."""
        event_type = required(headers, EVENT_HEADER, EVENT_TYPE)
        delivery = required(headers, DELIVERY_HEADER, DELIVERY)
        return Delivery(delivery, event_type, text, ping=event_type == "ping", known=event_type in EVENT_TYPES)
