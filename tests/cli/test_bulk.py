"""Many events from the command line: plans, operations, flushes; events handed in anew; saved filters; backup and restore."""

from __future__ import annotations

import json

BODY = {"action": "opened", "repository": {"full_name": "acme/site", "id": 1}, "number": 7}


def submitted(cli, count: int, title: str = "Mend \x1b[31mit") -> list[str]:
    path = cli.folder / "events.jsonl"
    pulls = [{**BODY, "number": n, "pull_request": {"number": n, "title": f"{title} {n}"}} for n in range(count)]
    path.write_text("\n".join(json.dumps(pull) for pull in pulls))
    return [line["id"] for line in cli("submit", str(path), "--type", "pull_request", "--lines", "--json").lines]


def test_a_plan_is_applied_by_its_token_and_steered_by_its_id(cli) -> None:
    submitted(cli, 3)
    plan = cli("cancel", "repo=acme/*", "--plan", "--json").json
    assert (plan["count"], plan["ineligible"]) == (3, {})
    token = plan["token"]
    assert "\x1b" not in cli("cancel", "repo=acme/*", "--plan").out
    assert cli("bulk", "show", token, "--json").json["state"] == "planned"
    assert cli("bulk", "apply", token).code == 2, "a reason is required"
    applied = cli("bulk", "apply", token, "--rate", "20/s", "--reason", "noise")
    assert applied.out.strip() == token
    assert cli("bulk", "apply", token, "--reason", "noise").code == 3
    assert "no engine holds it" in cli("bulk", "show", token).out
    assert cli("bulk", "pause", token).code == 0
    assert cli("bulk", "resume", token).code == 0
    assert cli("bulk", "cancel", token, "--reason", "not after all", "--json").json["changed"] == 1
    shown = cli("bulk", "show", token, "--watch", "--json").lines[-1]
    assert (shown["state"], shown["dropped"], shown["left"]) == ("cancelled", 3, 0)
    assert [row["id"] for row in cli("bulk", "list", "--json").lines][-1] == token
    assert token in cli("bulk", "list").out
    assert cli("bulk", "show", "op99").code == 4


def test_a_few_are_done_at_once_and_a_rate_leaves_it_to_the_fleet(cli) -> None:
    ids = submitted(cli, 3)
    assert cli("prioritize", "repo=acme/*", "--to", "high", "--yes").code == 2, "many want a reason"
    done = cli("prioritize", "repo=acme/*", "--to", "high", "--yes", "--reason", "release day", "--json").json
    assert (done["state"], done["done"]) == ("finished", 3)
    left = cli("cancel", "repo=acme/*", "--yes", "--rate", "5/s", "--reason", "noise", "--json").json
    assert (left["state"], left["done"]) == ("running", 0)
    refused = cli("cancel", "repo=acme/*", "--yes", "--rate", "501/s", "--reason", "noise")
    assert (refused.code, "bulk.rate_max_per_s" in refused.err) == (2, True)
    assert cli("cancel", "colour=red", "--yes", "--reason", "x").code == 2
    assert cli("replay", "--reason", "x").code == 2
    assert cli("cancel", *ids, "--read-only", "--reason", "x").code == 3
    assert cli("cancel", "repo=acme/*", "--plan", "--read-only", "--json").json["token"] == ""


def test_a_flush_wants_the_name_of_its_lane(cli) -> None:
    submitted(cli, 2)
    assert cli("flush", "fetch", "--plan", "--json").json["count"] == 2
    assert cli("flush", "fetch", "--reason", "x").code == 3
    assert cli("flush", "fetch", "--yes", "--reason", "x").code == 2
    assert cli("flush", "fetch", "--confirm", "route", "--reason", "x").code == 2
    assert cli("flush", "nowhere", "--confirm", "nowhere", "--reason", "x").code == 4
    assert cli("flush", "fetch", "--confirm", "fetch", "--reason", "a loop", "--json").json["done"] == 2
    assert len(cli("events", "list", "state=cancelled", "--json").lines) == 2
    assert cli("replay", "state=cancelled", "--yes", "--reason", "no loop", "--json").json["done"] == 2


def test_an_event_is_handed_in_with_another_panel_and_both_sides_are_compared(cli) -> None:
    (old,) = submitted(cli, 1)
    cli("cancel", old, "--reason", "x")
    assert cli("replay", old, "--panel", "claude,nobody", "--reason", "x").code == 2
    new = cli("replay", old, "--panel", "grok,chatgpt", "--priority", "critical", "--reason", "a second opinion").out.strip()
    assert cli("events", "show", new, "--json").json["lineage"]["edited_from"] == old
    compared = cli("events", "diff", new)
    assert compared.code == 1
    assert "+priority: critical" in compared.out
    assert "@@" not in compared.out, "the payload is the same"
    edited = cli.folder / "edited.json"
    edited.write_text(json.dumps({**BODY, "number": 8}))
    again = cli("replay", old, "--edit", str(edited), "--reason", "wrong number").out.strip()
    assert '+  "number": 8' in cli("events", "diff", again).out
    assert cli("events", "diff", old).code == 2
    assert cli("events", "diff", old, old).code == 0


def test_lists_are_paged_grouped_and_filtered_by_saved_names(cli) -> None:
    ids = submitted(cli, 5)
    first = cli("events", "list", "--limit", "2")
    assert f"--before {ids[3]}" in first.err
    assert [row["id"] for row in cli("events", "list", "--limit", "2", "--before", ids[3], "--json").lines] == [ids[2], ids[1]]
    assert cli("filters", "save", "site", "repo=acme/site", "text=Mend").code == 0
    assert cli("filters", "list", "--json").json == {"site": "repo=acme/site text=Mend"}
    assert len(cli("events", "list", "@site", "--json").lines) == 5
    assert cli("events", "list", "@nothing").code == 4
    assert cli("filters", "save", "Bad Name", "state=failed").code == 2
    assert cli("filters", "save", "bad", "colour=red").code == 2
    assert cli("filters", "drop", "site").code == 0
    assert cli("filters", "drop", "site").code == 4
    assert cli("events", "groups", "--json").lines == []
    assert [row["id"] for row in cli("events", "list", f"id={ids[0][-5:]}", "--json").lines] == [ids[0]]
    assert cli("events", "list", "age=1h", "--json").lines == []


def test_a_namespace_goes_into_a_file_and_into_an_empty_one(cli) -> None:
    ids = submitted(cli, 4)
    path = str(cli.folder / "night.gbb")
    assert cli("backup", path, "--json").json["events"] == 4
    assert cli("backup", path).code == 3, "a file that is there is not replaced"
    assert cli("restore", path).code == 3, "this namespace is in use"
    assert cli("restore", path, "--check", "--json").json["events"] == 4
    assert cli("restore", path, "--namespace", "elsewhere-bulk", "--json").json["events"] == 4
    restored = cli("events", "list", "--json", "--namespace", "elsewhere-bulk").lines
    assert sorted(row["id"] for row in restored) == sorted(ids)
    whole = (cli.folder / "night.gbb").read_bytes()
    (cli.folder / "cut.gbb").write_bytes(whole[:-5])
    cut = cli("restore", str(cli.folder / "cut.gbb"), "--namespace", "elsewhere-cut")
    assert (cut.code, "cut short" in cut.err) == (3, True)
    assert cli("restore", str(cli.folder / "none.gbb")).code == 2
