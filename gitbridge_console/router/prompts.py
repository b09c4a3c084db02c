"""Builds the question for one provider from a versioned template, with everything from outside fenced off and declared data."""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

from gitbridge_console.domain.answers import FINDINGS_MAX, TRIAGE_LABELS, schema_for
from gitbridge_console.domain.events import Ask, ChangedFile, EventFacts, Kind, Material
from gitbridge_console.domain.prompt_choice import PromptChoice
from gitbridge_console.providers.base import ProviderRequest
from gitbridge_console.settings.routing import SHIPPED, KindSettings

HUNK = re.compile(r"^@@ -\d+(?:,\d+)? \+(\d+)(?:,\d+)? @@")
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\U000e0000-\U000e007f]")
NO_WORD = re.compile(r"[^A-Za-z0-9_.-]")
NO_PLAIN = re.compile(r"[^A-Za-z0-9 _.,:'\[\]{}()-]")
"""What is left out of an error before it stands outside the fence: it may quote the answer."""

REPAIR_MAX = 200
BYTES_PER_TOKEN = 3
"""English and code take about four bytes a token, Chinese or Japanese three: what fits by this estimate fits."""
LINE_MAX = 2_000
FILES_LISTED_MAX = 300


@dataclass(frozen=True, slots=True)
class Template:
    """A prompt template and its version."""

    name: str
    version: str
    text: str


@dataclass(frozen=True, slots=True)
class BuiltPrompt:
    """A question ready to be sent. ``prompt_id`` names template and version, ``order_seed`` the order of the files."""

    request: ProviderRequest
    prompt_id: str
    order_seed: str
    truncated: bool

    @property
    def tokens(self) -> int:
        """About how many tokens the question takes, rather too many than too few."""
        return tokens_of(self.request)


@cache
def template(name: str) -> Template:
    """A shipped template; its first line is ``version: N``."""
    raw = resources.files("gitbridge_console.router").joinpath("templates", f"{name}.md").read_text("utf-8")
    head, _, text = raw.partition("\n")
    return Template(name, str(int(head.removeprefix("version:"))), text.strip())


def own_template(kind: Kind, version: str, text: str) -> Template | None:
    """A version that stands in the settings, or came with an edited event; ``None`` for the shipped one.

    What it is called in the record of an attempt says its text, too: two that differ never have the same name.
    """
    if version == SHIPPED:
        return None
    return Template(kind.value, f"{version}-{hashlib.sha256(text.encode('utf-8', 'replace')).hexdigest()[:12]}", text.strip())


def template_for(kind: Kind, policy: KindSettings, asked: PromptChoice | None = None) -> Template | None:
    """The version an event of a kind is asked with: the one it was handed in with if that is of this kind, else that of the settings."""
    if asked is not None and asked.kind == kind:
        return own_template(kind, asked.version, asked.text)
    return own_template(kind, policy.prompt, policy.prompts.get(policy.prompt, ""))


def clean(text: str) -> str:
    """Outside text without control, zero-width and direction characters, and with no endless lines."""
    stripped = CONTROL.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    return "\n".join(line[:LINE_MAX] for line in stripped.split("\n"))


def tokens_of(request: ProviderRequest) -> int:
    """About how many tokens a question takes, rather too many than too few."""
    return -(-len((request.system + request.prompt).encode("utf-8", "replace")) // BYTES_PER_TOKEN)


def build_request(
    kind: Kind | Ask,
    facts: EventFacts,
    material: Material,
    provider: str,
    max_output_tokens: int,
    about: str = "",
    repair: str = "",
    own: Template | None = None,
) -> BuiltPrompt:
    """The question of one event for one provider. Equal content gives an equal question, whatever the event's id.

    ``about`` are the claims or answers a question of the second round is about, outside text like the rest; ``repair`` what was
    wrong with the provider's last answer to this question; ``own`` the version of the kind's part, if not the shipped one.
    """
    content = _content_hash(facts, material)
    order_seed = hashlib.sha256(f"{content}:{provider}".encode()).hexdigest()[:16]
    outside = _outside(facts, material, order_seed)
    if about:
        outside += f"\n{clean(about)}"
    fence = _fence(content, outside)
    common, own = template("common"), own or template(kind.value)
    name, schema = schema_for(kind)
    system = (
        f"{common.text}\n\n{own.text}".replace("{fence}", fence)
        .replace("{findings_max}", str(FINDINGS_MAX))
        .replace("{labels}", ", ".join(TRIAGE_LABELS))
    )
    # Type and action stand outside the fence, so nothing but a plain word may pass.
    type, action = (NO_WORD.sub("", word)[:60] for word in (facts.type, facts.action))
    notes = [f"Event: {type}{f' ({action})' if action else ''}"]
    if material.note:
        notes.append(f"Note: {material.note}. Judge only what is shown, and say so where it limits you.")
    prompt = "\n".join(notes) + f"\n\nBEGIN {fence}\n{outside}\nEND {fence}\n"
    if repair:
        problem = " ".join(NO_PLAIN.sub(" ", repair)[:REPAIR_MAX].split())
        prompt += (
            f"\nYour last answer to this was no valid JSON of the schema: {problem}. Answer again, with nothing but the JSON object.\n"
        )
    request = ProviderRequest(system=system, prompt=prompt, schema=schema, schema_name=name, max_output_tokens=max_output_tokens)
    return BuiltPrompt(request, f"{kind.value}@{common.version}.{own.version}", order_seed, material.truncated)


def _content_hash(facts: EventFacts, material: Material) -> str:
    digest = hashlib.sha256()
    for part in (facts.title, facts.body, facts.head_sha, *(f"{file.path}\n{file.patch}" for file in material.files)):
        digest.update(part.encode("utf-8", "replace") + b"\0")
    return digest.hexdigest()


def _fence(content: str, outside: str) -> str:
    """A delimiter that does not occur in the text it fences, whatever its author tried."""
    word, n = f"OUTSIDE-{content[:16]}", 0
    while word in outside:
        n += 1
        word = f"OUTSIDE-{hashlib.sha256(f'{content}:{n}'.encode()).hexdigest()[:16]}"
    return word


def _outside(facts: EventFacts, material: Material, order_seed: str) -> str:
    lines = [f"Repository: {facts.repository}", f"Subject: {facts.subject}", f"Title: {facts.title}", f"Author: {facts.author}"]
    if facts.labels:
        lines.append(f"Labels: {', '.join(facts.labels)}")
    if facts.ref:
        lines.append(f"Ref: {facts.ref}")
    if facts.changed_files is not None:
        lines.append(f"Size: {facts.changed_files} files, +{facts.additions or 0} -{facts.deletions or 0}")
    lines.extend(f"{label.capitalize()}: {text}" for label, text in facts.extra)
    if facts.body:
        lines.append(f"Description:\n{facts.body}")
    files = list(material.files[:FILES_LISTED_MAX])
    # Providers read in different orders, so that none of them is first for all.
    random.Random(order_seed).shuffle(files)
    if files:
        lines.append("Files:\n" + "\n".join(f"{file.status} {file.path}" for file in files))
    lines.extend(numbered(file) for file in files if file.patch is not None)
    return clean("\n".join(lines))


def numbered(file: ChangedFile) -> str:
    """A file's patch with the line numbers of the new side in front, ``   12 |+text``; removed lines have none."""
    return "\n".join([f"+++ b/{file.path}", *_numbered_lines((file.patch or "").split("\n"))])


def _numbered_lines(patch: Sequence[str]) -> list[str]:
    out: list[str] = []
    at: int | None = None
    for line in patch:
        if (match := HUNK.match(line)) is not None:
            at = int(match[1])
            out.append(line)
        elif at is None or line.startswith(("-", "\\")):
            out.append(f"      |{line}")
        else:
            out.append(f"{at:>5} |{line}")
            at += 1
    return out
