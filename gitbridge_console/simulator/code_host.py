"""A code host that speaks GitHub's REST API as far as publishing needs it: pull requests, reviews, comments, checks, labels, tokens.

It keeps what it is told and answers in GitHub's shapes. Anybody may ask; who wrote what follows from the token.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote

PER_PAGE = 30
REVIEW_STATES = {"COMMENT": "COMMENTED", "APPROVE": "APPROVED", "REQUEST_CHANGES": "CHANGES_REQUESTED"}
KEPT_MAX = 10_000
"""Posts kept at most; the oldest go, as nobody looks at a simulated host for long."""

_ROUTES: tuple[tuple[str, str, str], ...] = (
    ("GET", r"/user", "user"),
    ("GET", r"/app", "app"),
    ("GET", r"/(?:repos|orgs)/([^/]+(?:/[^/]+)?)/installation", "installation"),
    ("POST", r"/app/installations/(\d+)/access_tokens", "access_token"),
    ("GET", r"/repos/([^/]+/[^/]+)", "repository"),
    ("GET", r"/repos/([^/]+/[^/]+)/pulls/(\d+)", "pull"),
    ("GET", r"/repos/([^/]+/[^/]+)/(pulls/\d+/reviews|issues/\d+/comments|commits/[0-9a-f]+/comments)", "posts"),
    ("POST", r"/repos/([^/]+/[^/]+)/(pulls/\d+/reviews|issues/\d+/comments|commits/[0-9a-f]+/comments)", "post"),
    ("PUT", r"/repos/([^/]+/[^/]+)/pulls/\d+/reviews/(\d+)", "change"),
    ("PATCH", r"/repos/([^/]+/[^/]+)/(?:issues/)?comments/(\d+)", "change"),
    ("GET", r"/repos/([^/]+/[^/]+)/commits/([0-9a-f]+)/check-runs", "check_runs"),
    ("POST", r"/repos/([^/]+/[^/]+)/check-runs", "check_run"),
    ("PATCH", r"/repos/([^/]+/[^/]+)/check-runs/(\d+)", "change"),
    ("POST", r"/repos/([^/]+/[^/]+)/statuses/([0-9a-f]+)", "status"),
    ("POST", r"/repos/([^/]+/[^/]+)/issues/(\d+)/labels", "labels"),
)
ROUTES = tuple((method, re.compile(pattern), name) for method, pattern, name in _ROUTES)


@dataclass(frozen=True, slots=True)
class HostAnswer:
    """Status, body for JSON, further headers."""

    status: int
    data: Any
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class HostRequest:
    """What was asked; ``login`` is who the token belongs to, empty where it belongs to nobody."""

    method: str
    path: str
    query: Mapping[str, str]
    body: Mapping[str, Any]
    login: str


class CodeHost:
    """The host. ``tokens`` are the logins they belong to, ``heads`` the head commits of its pull requests."""

    def __init__(self, origin: str = "", tokens: Mapping[str, str] | None = None, slug: str = "gitbridge") -> None:
        self.origin = origin
        self.tokens = dict(tokens or {})
        self.slug = slug
        self.heads: dict[tuple[str, int], str] = {}
        self.posts: dict[int, dict[str, Any]] = {}
        self.statuses: list[dict[str, Any]] = []
        self.labels: dict[tuple[str, int], list[str]] = {}
        self.bad_lines: set[int] = set()
        self._ids = itertools.count(1)

    def know(self, repository: str, number: int, sha: str) -> None:
        """A pull request has this head from now on."""
        self.heads.pop((repository, number), None)
        self.heads[repository, number] = sha
        while len(self.heads) > KEPT_MAX:
            del self.heads[next(iter(self.heads))]

    def of(self, kind: str) -> list[dict[str, Any]]:
        """Posts of one sort, oldest first: ``reviews``, ``comments`` or ``check-runs``."""
        return [post for post in self.posts.values() if post["_kind"] == kind]

    def answer(self, method: str, target: str, authorization: str, raw: bytes) -> HostAnswer:
        """Answer one request as it came over the wire."""
        path, _, query = target.partition("?")
        scheme, _, secret = authorization.partition(" ")
        login = f"{self.slug}[bot]" if scheme.lower() == "bearer" and secret.count(".") == 2 else self.tokens.get(secret, "")
        if not login:
            return HostAnswer(401, _refusal("Bad credentials"))
        try:
            body = json.loads(raw) if raw else {}
        except ValueError:
            return HostAnswer(400, _refusal("Problems parsing JSON"))
        for its_method, pattern, name in ROUTES:
            if its_method == method and (found := pattern.fullmatch(unquote(path))) is not None:
                asked = HostRequest(method, path, {key: values[-1] for key, values in parse_qs(query).items()}, body, login)
                reply: HostAnswer = getattr(self, f"_{name}")(asked, *found.groups())
                return reply
        return HostAnswer(404, _refusal("Not Found"))

    def _user(self, asked: HostRequest) -> HostAnswer:
        return HostAnswer(200, {"login": asked.login, "id": 1})

    def _app(self, asked: HostRequest) -> HostAnswer:
        return HostAnswer(200, {"slug": self.slug, "id": 1})

    def _installation(self, asked: HostRequest, account: str) -> HostAnswer:
        return HostAnswer(200, {"id": 1, "account": {"login": account.partition("/")[0]}})

    def _access_token(self, asked: HostRequest, installation: str) -> HostAnswer:
        token = f"ghs_{next(self._ids):016x}"
        self.tokens[token] = f"{self.slug}[bot]"
        return HostAnswer(201, {"token": token, "expires_at": "2099-01-01T00:00:00Z"})

    def _repository(self, asked: HostRequest, name: str) -> HostAnswer:
        if all(repository != name for repository, _ in self.heads):
            return HostAnswer(404, _refusal("Not Found"))
        return HostAnswer(200, {"full_name": name})

    def _pull(self, asked: HostRequest, repository: str, number: str) -> HostAnswer:
        sha = self.heads.get((repository, int(number)))
        if sha is None:
            return HostAnswer(404, _refusal("Not Found"))
        return HostAnswer(200, {"number": int(number), "state": "open", "head": {"sha": sha}})

    def _posts(self, asked: HostRequest, repository: str, place: str) -> HostAnswer:
        found = [_shown(post) for post in self.posts.values() if post["_place"] == f"{repository}/{place}"]
        return self._page(asked, found)

    def _page(self, asked: HostRequest, found: list[dict[str, Any]]) -> HostAnswer:
        size, page = min(100, int(asked.query.get("per_page", PER_PAGE))), int(asked.query.get("page", 1))
        headers = {}
        if len(found) > page * size:
            # As the real one does, by the number of the repository; here the path is kept behind it.
            headers["link"] = f'<{self.origin}{asked.path}?per_page={size}&page={page + 1}>; rel="next"'
        return HostAnswer(200, found[(page - 1) * size : page * size], headers)

    def _post(self, asked: HostRequest, repository: str, place: str) -> HostAnswer:
        kind = place.rpartition("/")[2]
        if kind == "reviews":
            lines = [comment.get("line") for comment in asked.body.get("comments", ())]
            if self.bad_lines.intersection(lines):
                return HostAnswer(422, _refusal("Unprocessable Entity") | {"errors": ["Line could not be resolved"]})
            sha = self.heads.get((repository, int(place.split("/")[1])))
            if sha is None:
                return HostAnswer(404, _refusal("Not Found"))
        if not str(asked.body.get("body", "")).strip():
            return HostAnswer(422, _refusal("Validation Failed") | {"errors": [{"code": "missing_field", "field": "body"}]})
        state = {"state": REVIEW_STATES.get(str(asked.body.get("event")), "PENDING")} if kind == "reviews" else {}
        made = self._keep(kind, f"{repository}/{place}", asked, {**asked.body, **state})
        return HostAnswer(200 if kind == "reviews" else 201, _shown(made))

    def _keep(self, kind: str, place: str, asked: HostRequest, own: dict[str, Any]) -> dict[str, Any]:
        number = next(self._ids)
        url = f"{self.origin or 'https://github.example'}/{place}#{number}"
        author: dict[str, Any] = {"user": {"login": asked.login}}
        if kind == "check-runs":
            author = {"app": {"slug": asked.login.removesuffix("[bot]")}}
        self.posts[number] = {**own, "id": number, **author, "html_url": url, "_kind": kind, "_place": place}
        while len(self.posts) > KEPT_MAX:
            del self.posts[next(iter(self.posts))]
        return self.posts[number]

    def _change(self, asked: HostRequest, repository: str, number: str) -> HostAnswer:
        post = self.posts.get(int(number))
        if post is None or not post["_place"].startswith(f"{repository}/"):
            return HostAnswer(404, _refusal("Not Found"))
        post.update(asked.body)
        return HostAnswer(200, _shown(post))

    def _check_runs(self, asked: HostRequest, repository: str, sha: str) -> HostAnswer:
        name = asked.query.get("check_name")
        runs = [post for post in self.of("check-runs") if post["_place"] == f"{repository}/{sha}" and name in (None, post["name"])]
        page = self._page(asked, [_shown(run) for run in runs])
        return HostAnswer(page.status, {"total_count": len(runs), "check_runs": page.data}, page.headers)

    def _check_run(self, asked: HostRequest, repository: str) -> HostAnswer:
        if not asked.login.endswith("[bot]"):
            return HostAnswer(403, _refusal("You must authenticate via a GitHub App."))
        return HostAnswer(201, _shown(self._keep("check-runs", f"{repository}/{asked.body['head_sha']}", asked, dict(asked.body))))

    def _status(self, asked: HostRequest, repository: str, sha: str) -> HostAnswer:
        self.statuses.append({**asked.body, "repository": repository, "sha": sha})
        del self.statuses[:-KEPT_MAX]
        return HostAnswer(201, {"id": next(self._ids), "state": asked.body.get("state"), "context": asked.body.get("context")})

    def _labels(self, asked: HostRequest, repository: str, number: str) -> HostAnswer:
        names = self.labels.setdefault((repository, int(number)), [])
        names += [name for name in asked.body.get("labels", ()) if name not in names]
        return HostAnswer(200, [{"name": name} for name in names])


def _shown(post: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in post.items() if not key.startswith("_")}


def _refusal(message: str) -> dict[str, Any]:
    return {"message": message, "documentation_url": "https://docs.github.com/rest"}
