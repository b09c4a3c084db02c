"""What the simulated reviewers can find fault with: patterns in code, and how differently the same fault can be worded."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Flaw:
    """One sort of fault. ``pattern`` is looked for in added lines; titles say the same in other words.

    ``{it}`` stands for an identifier of the line, ``{where}`` for the function or file around it.
    """

    name: str
    category: str
    severity: str
    pattern: re.Pattern[str]
    titles: tuple[str, ...]
    why: str


def _flaw(name: str, category: str, severity: str, pattern: str, titles: tuple[str, ...], why: str) -> Flaw:
    return Flaw(name, category, severity, re.compile(pattern), titles, why)


SPECIFIC = (
    _flaw(
        "sql",
        "security",
        "critical",
        r"(?i)(select|insert|update|delete) .*(\" ?\+|\$\{|%s?\" ?%|\{\w+\}|format\()",
        (
            "`{it}` builds SQL from unescaped input: SQL injection in `{where}`",
            "SQL injection: `{where}` concatenates `{it}` into the query",
            "Query in `{where}` interpolates `{it}` instead of binding a parameter",
            "Untrusted value reaches the database statement",
        ),
        "Whoever controls the value controls the statement. Bind it as a parameter.",
    ),
    _flaw(
        "shell",
        "security",
        "critical",
        r"shell=True|os\.system|exec\(.*\+|child_process",
        (
            "`{it}` runs through a shell: command injection in `{where}`",
            "Command injection: `{where}` passes `{it}` to a shell",
            "Arguments of `{it}` are not quoted before the shell sees them",
        ),
        "Pass a list of arguments and no shell. Then nothing is interpreted.",
    ),
    _flaw(
        "secret_in_log",
        "security",
        "high",
        r"(?i)(log|print|console|slog)\w*[.(!].*(token|password|secret|api_?key)",
        (
            "`{where}` writes the secret `{it}` to the log",
            "Secret leak: `{it}` is logged in `{where}`",
            "Credentials end up in the log output of `{where}`",
        ),
        "Many people read logs, few may read secrets. Log an identifier of the key instead.",
    ),
    _flaw(
        "weak_random",
        "security",
        "high",
        r"md5|sha1\b|Math\.random|random\.(random|choice|randint)",
        (
            "`{it}` is not cryptographically secure for a token in `{where}`",
            "`{where}` uses the weak primitive `{it}` for a security decision",
            "Predictable value: use a secure generator rather than `{it}`",
        ),
        "An attacker can predict or collide it. Use the platform's secure source.",
    ),
    _flaw(
        "path",
        "security",
        "high",
        r"(?i)(join|Path|resolve)\(.*(name|file|user|param|req)",
        (
            "`{it}` allows path traversal out of the folder in `{where}`",
            "Path traversal: `{where}` joins unchecked `{it}`",
            "A `..` in the name escapes the upload folder",
        ),
        "Resolve the result first. Refuse what is not below the folder.",
    ),
    _flaw(
        "off_by_one",
        "bug",
        "high",
        r"<= ?(len\(|\w+\.(length|len\(\)|size\(\)))|range\(1, ?len|range\(len\(\w+\) ?\+ ?1\)|<= ?(limit|count|max\w*)",
        (
            "Off-by-one in `{where}`: the bound of `{it}` runs past the end",
            "`{where}` reads one element too many of `{it}`: off-by-one bound",
            "Loop condition should be strict: the last index is out of range",
        ),
        "The last round uses a missing index. Compare with `<`.",
    ),
    _flaw(
        "race",
        "concurrency",
        "high",
        r"go func|static mut|global \w+|\+= ?1$|if \w+ not in \w*cache|threading\.Thread|unsafe",
        (
            "Race on `{it}`: `{where}` changes shared state without a lock",
            "`{where}` updates shared `{it}` concurrently without synchronisation, a data race",
            "Two callers can lose an update here",
        ),
        "Two callers can read the same old value. A lock or an atomic step helps.",
    ),
    _flaw(
        "swallowed",
        "bug",
        "medium",
        r"except( Exception)?:|catch \(\w* ?\w*\) ?\{ ?\}|, _ :?= |_ = \w+\.",
        (
            "`{where}` swallows every error and hides the failure of `{it}`",
            "Error of `{it}` is ignored in `{where}`, the failure is hidden",
            "Failures vanish silently; callers cannot tell",
        ),
        "The caller believes it worked. Handle the expected error. Pass on the rest.",
    ),
    _flaw(
        "no_timeout",
        "performance",
        "medium",
        r"requests\.(get|post|put)|http\.(Get|Post)\(|\bfetch\(|urlopen\(|reqwest::get",
        (
            "`{it}` in `{where}` has no timeout",
            "Request without timeout: `{where}` can hang on `{it}`",
            "A slow upstream blocks the caller for ever",
        ),
        "One slow server holds the caller for ever. Set a timeout.",
    ),
    _flaw(
        "missing_value",
        "bug",
        "medium",
        r"\.unwrap\(\)|\.get\([^,()]*\)[.\[]|\.find\(.*\)\.|!\.\w|\bas any\b",
        (
            "`{it}` may be missing and crashes `{where}`",
            "`{where}` does not handle a missing `{it}`, which crashes",
            "Absent value is dereferenced without a check",
        ),
        "The value is absent for older records. Handle that case before using it.",
    ),
    _flaw(
        "leak",
        "bug",
        "medium",
        r"(?<!with )(?<!\w)open\(|os\.Open\(|new FileReader|new FileInputStream|\.connect\(",
        (
            "`{it}` is never closed in `{where}`: resource leak",
            "Resource leak in `{where}`: `{it}` stays open on error",
            "Handle is not released when an exception is thrown",
        ),
        "On the error path nothing closes it. Use a context manager or `defer`.",
    ),
    _flaw(
        "money",
        "bug",
        "medium",
        r"float\(.*(price|amount|total|cents)|parseFloat|double (price|amount|total)|f64",
        (
            "Money in `{it}` is a float and loses cents in `{where}`",
            "`{where}` rounds `{it}` as float: money needs a decimal type",
            "Binary floating point is wrong for currency",
        ),
        "Sums drift by cents. Keep integer cents or a decimal type.",
    ),
    _flaw(
        "mutable_default",
        "bug",
        "medium",
        r"def .*= ?(\[\]|\{\})",
        (
            "Mutable default of `{it}` is shared between calls of `{where}`",
            "`{where}` shares its mutable default argument `{it}`",
            "Default list is created once and keeps its contents",
        ),
        "The default is made once. Earlier calls leave things in it. Default to `None`.",
    ),
    _flaw(
        "query_in_loop",
        "performance",
        "low",
        r"for .* in .*(query|all\(\)|fetch)|\.map\(async|for .* range \w+s\b",
        (
            "`{where}` asks once per item of `{it}` (N+1 queries)",
            "N+1 queries: loop over `{it}` in `{where}`",
            "Fetch the items at once, not inside the loop",
        ),
        "The number of round trips grows with the list. Fetch them together.",
    ),
    _flaw(
        "sleep",
        "performance",
        "low",
        r"(?i)\bsleep\(|setTimeout\(",
        (
            "Fixed sleep in `{where}` slows every call of `{it}`",
            "`{where}` waits a fixed time instead of for `{it}`",
        ),
        "Mostly it is too long. When it matters it is too short. Wait for the condition.",
    ),
)

GENERIC = (
    _flaw(
        "untested",
        "test",
        "low",
        r"\w{4,}\(",
        (
            "`{it}` in `{where}` has no test for the empty input",
            "No test covers `{where}` when `{it}` gets an empty input",
            "Missing test for the edge case",
        ),
        "The empty case takes another branch. A test would pin it.",
    ),
    _flaw(
        "naming",
        "style",
        "nit",
        r"\w{3,}",
        ("The name `{it}` does not say what it holds", "`{it}` is an unclear name", "Consider a more telling name"),
        "Only the caller tells what it means.",
    ),
    _flaw(
        "unchecked",
        "bug",
        "low",
        r"\w{3,}\s*:?= ?\w",
        (
            "The result of `{it}` is used unchecked in `{where}`",
            "`{where}` does not check the result `{it}`",
            "Check the value before using it",
        ),
        "It is empty when the upstream has nothing.",
    ),
    _flaw(
        "undocumented",
        "docs",
        "nit",
        r"(def|func|function|fn|class|public)\s",
        ("`{it}` changes behaviour without a word in the docs", "Document the new behaviour of `{it}`"),
        "Callers outside this repository rely on the old behaviour.",
    ),
)

_KEYWORDS = frozenset(
    re.findall(
        r"\w+",
        "def func function return self this const let var async await for while with from import class public private static "
        "final void new else elif switch case break continue true false none null nil not and range in if except catch try throw "
        "string int select where insert into values update delete err error raise yield lambda type struct interface package ",
    )
)
_WORD = re.compile(r"[A-Za-z_]\w{2,}")


def identifier(text: str) -> str:
    """The most telling identifier of a line: called or assigned names first, longer ones before shorter; ``""`` if none."""
    words = [word for word in _WORD.findall(text) if word.lower() not in _KEYWORDS]
    return max(words, key=lambda word: (f"{word}(" in text, len(word)), default="")
