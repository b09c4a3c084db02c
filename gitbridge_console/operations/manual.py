"""The documentation as it is shipped: topics with their titles, and their text."""

from __future__ import annotations

from importlib import resources

from gitbridge_console.operations.errors import NotFound


def topics() -> dict[str, str]:
    """Titles by topic, in the order of the topics' names."""
    folder = resources.files("gitbridge_console").joinpath("docs")
    names = sorted(entry.name.removesuffix(".md") for entry in folder.iterdir() if entry.name.endswith(".md"))
    return {name: read_topic(name).partition("\n")[0].lstrip("# ") for name in names}


def read_topic(topic: str) -> str:
    """The text of a topic, in Markdown.

    Raises:
        NotFound: there is none of that name; one line that names those there are.
    """
    folder = resources.files("gitbridge_console").joinpath("docs")
    texts = {entry.name.removesuffix(".md"): entry for entry in folder.iterdir() if entry.name.endswith(".md")}
    if topic not in texts:
        raise NotFound(f"no topic {topic[:60]!r}; there are {', '.join(sorted(texts))}")
    return texts[topic].read_text("utf-8")
