"""Gitea and Forgejo: GitHub's shapes with words of their own, an HMAC-SHA256 in hex over the JSON text.

Both send GitHub's headers beside theirs. The signature is always that of the JSON, also where it travels in a form.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs

from gitbridge_console.domain.events import GITEA
from gitbridge_console.domain.facts import number, rows, table, text
from gitbridge_console.ingress.body import FORM_TYPE
from gitbridge_console.ingress.dialects.base import DELIVERY, EVENT_TYPE, Delivery, NotUnderstood
from gitbridge_console.ingress.dialects.rewriting import as_text
from gitbridge_console.ingress.signature import PREFIX, verify

FAMILIES = ("x-forgejo-", "x-gitea-")
"""Forgejo sends Gitea's headers as well, so its own come first."""
HUB_SIGNATURE = "x-hub-signature-256"
REVIEWS = {"pull_request_approved": "approved", "pull_request_rejected": "changes_requested", "pull_request_comment": "commented"}
ACTIONS = {"synchronized": "synchronize", "label_updated": "labeled", "label_cleared": "unlabeled", "updated": "edited"}
KNOWN = frozenset(
    {
        "create", "delete", "fork", "issue_comment", "issues", "package", "pull_request", "push", "release", "repository", "status",
        "workflow_job", "workflow_run", *REVIEWS,
    }
)  # fmt: skip
BOTS = frozenset({"gitea-actions", "forgejo-actions", "ghost"})
DRAFT_PREFIXES = ("wip:", "[wip]", "draft:")


class GiteaDialect:
    """See :class:`gitbridge_console.ingress.dialects.base.Dialect`."""

    name = GITEA
    source = f"webhook:{GITEA}"
    headers = frozenset(family + name for family in FAMILIES for name in ("event", "event-type", "delivery", "signature")) | {HUB_SIGNATURE}

    def speaks(self, headers: Mapping[str, str]) -> bool:
        """Every delivery names its event under the host's own name."""
        return any(family + "event" in headers for family in FAMILIES)

    def unproven(self, headers: Mapping[str, str]) -> str | None:
        """A webhook without a secret sends the headers of a signature empty."""
        return None if _signature(headers) else "X-Gitea-Signature is missing: set a secret for the webhook"

    def verify(self, body: bytes, headers: Mapping[str, str], secrets: Sequence[bytes]) -> bool:
        """Whether the signature is that of the JSON text."""
        media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
        return verify(_form_payload(body) if media_type == FORM_TYPE else body, PREFIX + _signature(headers), secrets)

    def read(self, headers: Mapping[str, str], payload: dict[str, Any], text: bytes) -> Delivery:
        """The payload as it is but for the host's own words. A delivery sent again by hand has an id of its own."""
        event, delivery = _first(headers, "event"), _first(headers, "delivery")
        if not EVENT_TYPE.fullmatch(event):
            raise NotUnderstood("X-Gitea-Event is not usable")
        if not DELIVERY.fullmatch(delivery) or len(delivery) > 80:
            raise NotUnderstood("X-Gitea-Delivery is missing or not usable")
        type, body = _github_shape(event, payload)
        body["gitbridge"] = {"host": GITEA}
        body[GITEA] = {"event": event, "event_type": _first(headers, "event-type")[:60], "action": payload.get("action")}
        return Delivery(f"{GITEA}:{delivery}", type, as_text(body), known=event in KNOWN)


def _github_shape(event: str, payload: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    body = dict(payload)
    sender = table(payload.get("sender"))
    login = text(sender.get("login")) or text(sender.get("username"))
    body["sender"] = {**sender, "login": login, "type": "Bot" if login.lower() in BOTS else "User"}
    action = text(payload.get("action"))
    if action in ACTIONS:
        body["action"] = ACTIONS[action]
    if event in REVIEWS:
        review = table(payload.get("review"))
        said = review.get("content") if isinstance(review.get("content"), str) else ""
        body |= {"action": "submitted", "review": {"state": REVIEWS[event], "body": said, "user": body["sender"]}}
        return "pull_request_review", body
    if event == "pull_request":
        _mark_draft(body)
    elif event == "push":
        _mind_missing_commits(body)
    return event, body


def _mark_draft(body: dict[str, Any]) -> None:
    """Drafts are known by their title; taking the word away is what makes one ready."""
    pull = dict(table(body.get("pull_request")))
    before = text(table(table(body.get("changes")).get("title")).get("from"))
    pull["draft"] = pull.get("draft") is True or _is_draft(text(pull.get("title")))
    if body.get("action") == "edited" and _is_draft(before) and not pull["draft"]:
        body["action"] = "ready_for_review"
    body["pull_request"] = pull


def _is_draft(title: str) -> bool:
    return title.lower().startswith(DRAFT_PREFIXES)


def _mind_missing_commits(body: dict[str, Any]) -> None:
    """Of many commits a payload holds only some: their files are not all files, and are left out."""
    body["compare"] = text(body.get("compare_url"))
    commits = [table(commit) for commit in rows(body.get("commits"))]
    total = number(body.get("total_commits"))
    if total is not None and total > len(commits):
        body["commits"] = [{key: value for key, value in one.items() if key not in ("added", "modified", "removed")} for one in commits]


def _first(headers: Mapping[str, str], name: str) -> str:
    return next((value for family in FAMILIES if (value := headers.get(family + name, ""))), "")


def _signature(headers: Mapping[str, str]) -> str:
    return _first(headers, "signature") or headers.get(HUB_SIGNATURE, "").removeprefix(PREFIX)


def _form_payload(body: bytes) -> bytes:
    """The JSON text as it was signed; Latin-1 both ways carries every byte through unchanged."""
    try:
        fields = parse_qs(body.decode("latin-1"), max_num_fields=16, encoding="latin-1")
    except ValueError:
        return b""
    return next(iter(fields.get("payload", ())), "").encode("latin-1")
