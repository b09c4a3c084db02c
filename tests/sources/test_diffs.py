"""Unified diffs into bounded material."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gitbridge_console.domain.events import ChangedFile, EventFacts
from gitbridge_console.settings.model import SourceSettings
from gitbridge_console.sources.diffs import material_from, parse_unified_diff

DIFF = """diff --git a/src/tax.py b/src/tax.py
index 1..2 100644
--- a/src/tax.py
+++ b/src/tax.py
@@ -1,2 +1,3 @@
 def total():
--- a comment that looks like a header
+    x = 1
+    return x
diff --git a/new file.txt b/new file.txt
new file mode 100644
--- /dev/null
+++ b/new file.txt
@@ -0,0 +1 @@
+hello
diff --git a/old.py b/old.py
deleted file mode 100644
--- a/old.py
+++ /dev/null
@@ -1 +0,0 @@
-bye
diff --git a/a.png b/a.png
Binary files a/a.png and b/a.png differ
"""
BOUNDS = SourceSettings()


QUOTED = r"""diff --git "a/docs/\303\234ber \"uns\".md" "b/docs/\303\234ber \"uns\".md"
--- "a/docs/\303\234ber \"uns\".md"
+++ "b/docs/\303\234ber \"uns\".md"
@@ -1 +1 @@
-alt
+neu
diff --git "a/\350\216\253.png" "b/\350\216\253.png"
new file mode 100644
Binary files /dev/null and "b/\350\216\253.png" differ
"""


def test_names_that_git_quotes_are_what_they_are_called() -> None:
    files = parse_unified_diff(QUOTED, BOUNDS).files
    assert [(file.path, file.status, file.additions) for file in files] == [('docs/Über "uns".md', "modified", 1), ("莫.png", "added", 0)]
    assert parse_unified_diff('diff --git "a/x\\ny" "b/x\\ny"\n', BOUNDS).files[0].path == "x\\ny"


def test_files_states_counts_and_patches() -> None:
    material = parse_unified_diff(DIFF, BOUNDS)
    assert [(f.path, f.status, f.additions, f.deletions) for f in material.files] == [
        ("src/tax.py", "modified", 2, 1),
        ("new file.txt", "added", 1, 0),
        ("old.py", "removed", 0, 1),
        ("a.png", "modified", 0, 0),
    ]
    assert material.files[1].patch == "@@ -0,0 +1 @@\n+hello"
    assert material.files[3].patch is None
    assert (material.truncated, material.note, material.origin) == (False, "", "diff")


def test_a_diff_without_git_headers() -> None:
    (file,) = parse_unified_diff("--- a/x.py\t2026\n+++ b/x.py\t2026\n@@ -1 +1 @@\n-a\n+b\n", BOUNDS).files
    assert (file.path, file.additions, file.deletions) == ("x.py", 1, 1)


def test_several_files_without_git_headers_and_lines_that_look_like_some() -> None:
    text = (
        "--- a/q.sql\n+++ b/q.sql\n@@ -1,2 +1,2 @@\n--- old comment\n+++ new comment\n same\n"
        "--- a/y.py\n+++ b/y.py\n@@ -1 +1 @@\n-a\n+b\n\\ No newline at end of file\n"
    )
    assert [(f.path, f.additions, f.deletions) for f in parse_unified_diff(text, BOUNDS).files] == [("q.sql", 1, 1), ("y.py", 1, 1)]


def test_a_hunk_that_promises_more_lines_than_it_has_ends_at_the_next_file() -> None:
    text = "diff --git a/x b/x\n@@ -1,999999999 +1,9 @@\n-a\ndiff --git a/y b/y\n@@ -1 +1 @@\n-a\n+b\n"
    assert [f.path for f in parse_unified_diff(text, BOUNDS).files] == ["x", "y"]


def test_what_is_cut_is_said() -> None:
    bounds = SourceSettings(max_diff_bytes=1_000, max_files=2, max_file_bytes=500)
    long = "".join(f"diff --git a/f{n} b/f{n}\n--- a/f{n}\n+++ b/f{n}\n@@ -0,0 +1 @@\n+{'é' * 20}\n" for n in range(30))
    material = parse_unified_diff(long, bounds)
    assert material.truncated
    assert len(material.files) == 2
    assert "cut at 1,000 bytes" in material.note
    assert "files are left out" in material.note
    big = "diff --git a/f b/f\n--- a/f\n+++ b/f\n@@ -0,0 +1,90 @@\n" + "+line\n" * 120
    (file,) = parse_unified_diff(big, bounds).files
    assert len((file.patch or "").encode()) <= 500


def test_without_a_diff_the_list_of_files_or_nothing_and_it_says_so() -> None:
    listed = material_from(EventFacts(type="push", files=(ChangedFile("a.py"),)), None, BOUNDS)
    assert (listed.origin, listed.note) == ("payload", "file list only: no diff was available")
    assert material_from(EventFacts(type="push"), None, BOUNDS).note.startswith("metadata only")
    assert material_from(EventFacts(type="push"), "this is no diff", BOUNDS).note.startswith("metadata only")


@given(st.text(alphabet="diff -+@ab/\n\\12,", max_size=400))
def test_no_text_raises(text: str) -> None:
    assert parse_unified_diff(text, BOUNDS).origin in ("diff", "none")
