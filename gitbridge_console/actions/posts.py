"""What stands on the code host already: own posts are known by the marker in them, and only where they are our own.

A marker is no secret, so anybody can write one. A post counts when the host says that our own credential made it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import quote

from gitbridge_console.actions.requests import ActionRequest, with_comments_in_body
from gitbridge_console.hosts.base import HostProblem
from gitbridge_console.hosts.github_api import GitHubApi

PAGES_MAX = 30
"""Pages of a hundred posts looked through before it is given up: to post without having seen all could be to post twice."""

REVIEW_STATES = {"COMMENT": "COMMENTED", "APPROVE": "APPROVED", "REQUEST_CHANGES": "CHANGES_REQUESTED"}
"""What the host calls a review after it was posted so."""


@dataclass(frozen=True, slots=True)
class Post:
    """Something of ours on the host. ``same``: it says already what is to be said."""

    id: int
    url: str
    same: bool


@dataclass(frozen=True, slots=True)
class _Shelf:
    """Where posts of one sort are listed, how and where one is changed, and under which name a page holds its list, if it does."""

    listed: str
    change: Literal["PUT", "PATCH"]
    item: str
    inner: str = ""


async def find_own(api: GitHubApi, request: ActionRequest, marker: str) -> Post | None:
    """The post that carries ``marker`` and is ours, the first where there are several; ``None`` where there is none.

    Raises:
        HostProblem: it cannot be known, because the host does not answer, or there is too much to look through.
    """
    shelf = _shelf(request)
    if shelf is None or not marker:
        return None
    own = (await api.own_login()).lower()
    more = ""
    async for reply in api.pages(shelf.listed, pages_max=PAGES_MAX):
        items = reply.data.get(shelf.inner) if shelf.inner and isinstance(reply.data, dict) else reply.data
        for item in items if isinstance(items, list) else ():
            if _is_ours(item, own, marker) and _is_such(item, request):
                return Post(item["id"], web_address(item), _says_the_same(item, request))
        more = reply.next_page
    if more:
        raise HostProblem(f"there are more than {PAGES_MAX * 100:,} posts to look through for an earlier one")
    return None


def change_of(request: ActionRequest, post: Post, *, exactly: bool = False) -> ActionRequest:
    """The request that makes an earlier post say what this one would.

    Comments beside lines of a review stay as they are and none can be added: what they would say is said in its text, but for one
    that is to be posted ``exactly``, as an operator saw it.
    """
    shelf = _shelf(request)
    assert shelf is not None, "only what can be found can be changed"
    body = request.body if shelf.inner else {"body": (request if exactly else with_comments_in_body(request)).body["body"]}
    return ActionRequest(shelf.change, shelf.item.format(id=post.id), {k: v for k, v in body.items() if k != "head_sha"})


def web_address(item: Mapping[str, Any]) -> str:
    """Where a post can be seen; outside text, so only what looks like an address."""
    url = item.get("html_url")
    fits = isinstance(url, str) and url.startswith(("https://", "http://")) and len(url) <= 500 and url.isprintable() and " " not in url
    return url if fits and isinstance(url, str) else ""


def _shelf(request: ActionRequest) -> _Shelf | None:
    """``None`` for what says itself whether it is there: setting a status or a label again changes nothing."""
    path = request.path
    if path.endswith("/reviews"):
        return _Shelf(f"{path}?per_page=100", "PUT", path + "/{id}")
    if path.endswith("/comments"):
        repository, _, _ = path.partition("/commits/" if "/commits/" in path else "/issues/")
        item = f"{repository}/comments/{{id}}" if "/commits/" in path else f"{repository}/issues/comments/{{id}}"
        return _Shelf(f"{path}?per_page=100", "PATCH", item)
    if path.endswith("/check-runs"):
        repository = path.removesuffix("/check-runs")
        named = quote(str(request.body["name"]), safe="")
        listed = f"{repository}/commits/{request.body['head_sha']}/check-runs?check_name={named}&filter=all&per_page=100"
        return _Shelf(listed, "PATCH", path + "/{id}", inner="check_runs")
    return None


def _is_ours(item: Any, own: str, marker: str) -> bool:
    return isinstance(item, dict) and isinstance(item.get("id"), int) and _author(item) == own and _carries(item, marker)


def _author(item: Mapping[str, Any]) -> str:
    """Login of whoever made it; an App's is its name with ``[bot]``."""
    user, app = item.get("user"), item.get("app")
    if isinstance(user, dict):
        return str(user.get("login", "")).lower()
    return f"{app.get('slug', '')}[bot]".lower() if isinstance(app, dict) else ""


def _carries(item: Mapping[str, Any], marker: str) -> bool:
    """Whether the marker is its last line, where nobody quoted in the text could have put it, or its external id is the marker's."""
    body = item.get("body")
    if isinstance(body, str):
        return body.rstrip().rpartition("\n")[2].strip() == marker
    return f"<!-- gitbridge:{item.get('external_id')} -->" == marker


def _is_such(item: Mapping[str, Any], request: ActionRequest) -> bool:
    """Whether a review is of the sort that is to be posted: one that only commented is no approval, and cannot be made one."""
    wanted, state = REVIEW_STATES.get(str(request.body.get("event"))), item.get("state")
    return wanted is None or not isinstance(state, str) or state == wanted


def _says_the_same(item: Mapping[str, Any], request: ActionRequest) -> bool:
    if isinstance(item.get("body"), str):
        whole = (request, with_comments_in_body(request))
        return _lines(item["body"]) in [_lines(str(one.body.get("body"))) for one in whole]
    theirs, ours = item.get("output"), request.body["output"]
    told = isinstance(theirs, dict) and all(_lines(str(theirs.get(name))) == _lines(ours[name]) for name in ("title", "summary"))
    return told and all(item.get(name) == request.body.get(name) for name in ("status", "conclusion"))


def _lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.strip().replace("\r\n", "\n").split("\n")]
