"""Questions as the simulated services get them: schemas in the strict form, a diff with faults in it."""

from __future__ import annotations

from typing import Any

DIFF = """Repository harbour/billing, pull request #12.

diff --git a/src/orders/store.py b/src/orders/store.py
index 1..2 100644
--- a/src/orders/store.py
+++ b/src/orders/store.py
@@ -10,4 +10,6 @@ class OrderStore:
     def find(self, owner: str) -> list:
-        rows = self.db.execute("SELECT 1", (owner,))
+        query = "SELECT * FROM orders WHERE owner = '" + owner + "'"
+        rows = self.db.execute(query)
+        print("query with token", owner)
         return rows
diff --git a/deploy/run.py b/deploy/run.py
--- a/deploy/run.py
+++ b/deploy/run.py
@@ -1,2 +1,3 @@
 import subprocess
+subprocess.run(f"rm -rf {folder}", shell=True)
"""

TEXT = {"type": "string"}
REASON = {"anyOf": [{"type": "string"}, {"type": "null"}]}


def strict(properties: dict[str, Any], **more: Any) -> dict[str, Any]:
    """An object schema with every property required."""
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False, **more}


SEVERITY = {"type": "string", "enum": ["critical", "high", "medium", "low", "nit"]}
FINDING = strict(
    {
        "path": TEXT,
        "start_line": {"type": "integer"},
        "end_line": {"type": "integer"},
        "category": {"type": "string", "enum": ["bug", "security", "performance", "concurrency", "api", "test", "docs", "style", "other"]},
        "title": TEXT,
        "body": TEXT,
        "evidence": TEXT,
        "severity": SEVERITY,
        "confidence": {"type": "string", "enum": ["low", "medium", "high"]},
    }
)
FINDINGS = {"type": "array", "items": {"$ref": "#/$defs/Finding"}}


def verdict(*words: str) -> dict[str, Any]:
    """A closed list of verdicts."""
    return {"type": "string", "enum": [*words, "abstain"]}


SCHEMAS = {
    "code_review": strict(
        {"findings": FINDINGS, "summary": TEXT, "verdict": verdict("approve", "comment", "request_changes"), "abstain_reason": REASON},
        **{"$defs": {"Finding": FINDING}},
    ),
    "push_review": strict(
        {
            "findings": FINDINGS,
            "breaking_change": {"type": "boolean"},
            "release_note": TEXT,
            "risk": {"type": "string", "enum": ["none", "low", "medium", "high"]},
            "verdict": verdict("ok", "alert"),
            "abstain_reason": REASON,
        },
        **{"$defs": {"Finding": FINDING}},
    ),
    "documentation": strict(
        {
            "edits": {
                "type": "array",
                "items": strict(
                    {
                        "path": TEXT,
                        "section": TEXT,
                        "problem": {"type": "string", "enum": ["outdated", "missing", "wrong", "unclear", "broken_link", "style"]},
                        "title": TEXT,
                        "suggestion": TEXT,
                        "severity": SEVERITY,
                    }
                ),
            },
            "summary": TEXT,
            "verdict": verdict("up_to_date", "needs_update"),
            "abstain_reason": REASON,
        }
    ),
    "issue_triage": strict(
        {
            "kind": {"type": "string", "enum": ["bug", "feature", "question", "docs", "chore", "spam", "unclear"]},
            "labels": {"type": "array", "items": TEXT},
            "components": {"type": "array", "items": TEXT},
            "priority": {"type": "string", "enum": ["p0", "p1", "p2", "p3"]},
            "duplicate_of": {"type": "array", "items": {"type": "integer"}},
            "needs_info": {"type": "array", "items": TEXT},
            "suggested_reply": TEXT,
            "verdict": verdict("triaged", "needs_info"),
            "abstain_reason": REASON,
        }
    ),
    "general": strict({"summary": TEXT, "verdict": verdict("noted", "attention"), "abstain_reason": REASON}),
}
