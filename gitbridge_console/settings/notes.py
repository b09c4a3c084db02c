"""What every setting means, in one sentence: for the commented file, the documentation and nobody's memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gitbridge_console.settings.model import Rule, RuleMatch, Settings
from gitbridge_console.settings.operator_notes import OPERATOR_NOTES
from gitbridge_console.settings.operators import AlertWebhookSettings
from gitbridge_console.settings.routing import BudgetSettings

TABLES: dict[str, str] = {
    "": "The whole program",
    "redis": "The store. Without `url` an embedded Valkey server runs in the state folder",
    "providers.NAME": "One AI service; claude, grok and chatgpt are built in, and a table here changes only what it names",
    "kinds.KIND": "How one kind of event is asked and decided",
    "selection": "How providers are compared when seats are given; see `docs routing`",
    "retry": "How often one task may call providers",
    "hedging": "When a second provider is asked for a seat because the first takes long; off while `kinds` is empty",
    "breaker": "The circuit breaker of each provider",
    "health": "Looking at providers, by asking for their list of models: at the start, on changes, and while they are idle",
    "cache": "Answers kept for the next time the very same question is to be asked",
    "batches": "Questions of bulk events that go together, at half price, for providers with `batches = true`",
    "budgets.NAME": "What one provider's calls may take in a day (UTC); at the limit others are asked, or work waits",
    "actions": "What a decision may do outside; see `docs actions`",
    "queue": "Bounds of the queue",
    "shedding": "What gives way when there is more work than can be done in time: first seats, then events",
    "retention": "How long finished things are kept",
    "bulk": "Replay, cancel, prioritize, failover and flush of many events; see `docs bulk`",
    "ingress": "The HTTP receiver of webhooks; see `docs ingress`",
    "legacy": "The Redis list older producers push to",
    "sources": "What a provider is shown of a change, and where the diff comes from; see `docs consensus`",
    "reconcile": "Asking GitHub which deliveries never arrived, and for these again; see `docs hosts`",
    "hosts.gitlab": "GitLab: diffs of changes that came without one; see `docs hosts`",
    "hosts.gitea": "Gitea or Forgejo: the same; without `base_url` no server is asked",
    "hosts.github": "GitHub or GitHub Enterprise: where diffs come from and reviews go to, as a token or as an App; see `docs actions`",
    "console": "The screen",
    "keymap": "Other keys for the console: the action's name, as ? shows it, and its keys apart by commas",
    "alerts": "When the alerts row speaks, and who is told outside the terminal",
    "alerts.webhooks.NAME": "One receiver of alerts over HTTP",
    "roles": "Who may do what: accounts, and system groups with % in front; see `docs roles`",
    "rules": "Routing rules, tried in order before the built-in ones; the first match wins",
    "rules.when": "Conditions of a rule; all that are given must hold",
}

OURSELVES = {
    "own_logins": "logins we act under; what they say is not answered. Leave it empty where a person uses the same account",
    "own_apps": "ids or slugs of Apps we act as; what they say and run is not answered",
    "answered_bots": "bots whose comments and reviews are answered, such as dependabot[bot]; other bots' are not",
}

READING = {
    "token_env": "environment variable with a token that may read repositories",
    "token_file": "or a file with it",
    "anonymous": "whether diffs of public repositories are asked for without a token",
    "timeout_connect_s": "seconds to connect",
    "timeout_s": "seconds of silence",
}

NOTES: dict[str, dict[str, str]] = {
    "": {
        "namespace": "Prefix of every key in the store; fleets with different namespaces do not see each other",
        "state_dir": "Folder of the embedded store, the log and exported dead letters; not set: the state folder of this user",
        "read_only": "Refuse every change by this process",
        "log_level": "debug, info, warning or error",
    },
    "redis": {
        "url": "URL of a Redis or Valkey server: redis, rediss, unix, or redis+sentinel, redis+cluster (docs durability)",
        "socket_timeout_s": "Longest wait for an answer of the store, in seconds",
        "connect_timeout_s": "Longest wait for a connection, in seconds",
        "max_connections": "Connections of one process at most, beside the one of each lane that waits for work",
        "durability": "When what was answered is on disk: everysec, always, or waitaof; see `docs durability`",
    },
    "providers.NAME": {
        "api": "How it is spoken to: anthropic, responses (OpenAI, xAI) or chat (any OpenAI-compatible server)",
        "model": "Name of the model",
        "base_url": "Where its API is",
        "api_key_env": "Environment variable that holds the key; a local server needs none",
        "api_key_file": "File that holds the key; read where the variable is not set",
        "enabled": "Whether it is used at all",
        "batches": "Whether questions of bulk events may wait for its batch API; not every service has one",
        "vendor": "Who stands behind it; two providers of one vendor are not two votes. Empty: its own name",
        "timeout_connect_s": "Limit of one attempt, in seconds: until the connection stands",
        "timeout_first_token_s": "Limit until the first piece of the answer, in seconds",
        "timeout_stall_s": "Limit of silence within the answer, in seconds",
        "timeout_total_s": "Limit of the whole attempt, in seconds",
        "max_concurrency": "Calls at the same time and engine, at most; it begins with 8 and adapts",
        "keepalive_s": "Seconds an unused connection is kept for the next call",
        "max_output_tokens": "Longest answer, in tokens",
        "context_tokens": "What the model can read, in tokens, its answer included; a larger change goes to others",
        "requests_per_minute": "Own limit on calls a minute, of all engines together; 0: as the provider's headers say",
        "input_tokens_per_minute": "Own limit on tokens read a minute; 0: as the provider's headers say",
        "output_tokens_per_minute": "Own limit on tokens written a minute; 0: as the provider's headers say",
        "weight": "How strongly it is chosen when seats are given; 2 counts as twice as good",
        "price_input_usd_per_mtok": "US dollars per million tokens read; not set: from the built-in price list",
        "price_output_usd_per_mtok": "US dollars per million tokens written",
        "price_cached_usd_per_mtok": "US dollars per million tokens read from the provider's cache",
    },
    "kinds.KIND": {
        "seats": "How many providers are asked",
        "prefer": "Who is asked first",
        "reserve": "Who steps in",
        "quorum": "How many answers a decision needs",
        "deadline_s": "Seconds from the first call to the decision, with what is there by then",
        "grace_s": "Seconds the rest is waited for once the quorum is there",
        "strategy": "How votes become a decision; the words are in `docs configuration`",
        "action": "none, comment, review, status, check_run, labels or webhook",
        "approval": "auto, or operator: a person releases each action",
        "max_cost_usd": "US dollars one seat may cost as estimated before it is asked; an unknown price passes; not set: no bound",
        "verify": "whether the other reviewers are asked about a critical or high finding that only one of them made; on for reviews",
        "arbiter": "provider asked, twice, where verdicts differ; empty: nobody",
        "cascade": "whether one provider more is asked where votes differ so that its vote could decide; on but for reviews",
        "seats_light": "seats for documentation, generated files or a few lines; 0: as many as seats",
        "seats_risky": "seats for changes that touch a risky path; 0: as many as seats; 3 for code reviews",
        "light_lines_max": "changed lines up to which a change is light",
        "risky_paths": "paths a mistake in costs more than elsewhere, such as auth, migrations, workflows",
        "prompt": "which version of the question is asked: shipped, or one of prompts",
        "prompts": "own versions of the question, each a name and its text; see `docs routing`",
    },
    "selection": {
        "explore": "Share of panels whose last seat is drawn by lot, so that slow providers are seen to recover; never for critical events",
        "cost_weight": "How strongly the price counts: 0 not at all, 1 as much as the latency",
    },
    "retry": {
        "attempts_max": "Calls for one task, all providers together",
        "attempts_per_provider_max": "Calls for one task to one provider",
        "deliveries_max": "Claims of one job after which it is given up",
        "backoff_base_s": "First wait before a retry, in seconds; doubled each time, with full jitter",
        "backoff_cap_s": "Longest wait before a retry, in seconds",
        "lane_hold_s": "Seconds work waits for a provider that is limited or whose circuit is open; if it takes longer another one gets it",
    },
    "hedging": {
        "kinds": "Kinds of events that are hedged, such as issue_triage; the calls cost up to `share_max` more",
        "samples_min": "Answers of a provider for a kind, in one engine, before it is known what takes long",
        "percentile": "A call that takes longer than this percentage of those answers is hedged",
        "share_max": "Hedges as a share of calls, at most",
    },
    "breaker": {
        "consecutive_failures": "Failures in a row that open the circuit",
        "window_s": "Seconds looked back on for the two shares below",
        "calls_min": "Calls within the window before a share of them means anything",
        "failure_rate": "Share of failed calls within the window that opens it",
        "slow_rate": "Share of slow calls within the window that opens it",
        "slow_factor": "A call is slow when it takes so many times the usual 95th percentile",
        "open_base_s": "Seconds it stays open the first time; doubled each time",
        "open_cap_s": "Seconds it stays open at most",
        "successes_to_close": "Good answers that close it again",
        "ramp_s": "Seconds after closing in which a provider gets a quarter, then half of its weight; 0: all at once",
    },
    "health": {
        "enabled": "Look at all; it costs no tokens",
        "idle_s": "Seconds without a call after which one engine of the fleet looks, and again every so often",
        "timeout_s": "Longest wait for the list, in seconds",
    },
    "cache": {
        "enabled": "Ask equal questions once; a replay always asks anew",
        "ttl_s": "Seconds an answer is kept",
        "max_bytes": "Bytes of all answers kept; those that end soonest go first; 0: none is kept, questions in flight are still shared",
        "max_answer_bytes": "Largest answer that is kept, in bytes",
    },
    "batches": {
        "max_wait_s": "Seconds after which a batch is handed in as it is",
        "max_requests": "Questions of one batch, at most",
        "max_bytes": "Bytes of questions of one batch, at most",
        "open_max": "Batches of one provider that are not back yet, at most",
        "poll_s": "Seconds between looks at a batch",
        "deadline_s": "Seconds after which a question that waits for a batch is asked live; also the deadline of its event",
    },
    "budgets.NAME": {
        "usd_per_day": "US dollars a day; calls of unknown cost are counted apart, see `tokens_per_day`",
        "tokens_per_day": "Tokens a day, read and written",
        "warn_fraction": "Share of either from which there is an alert",
    },
    "actions": {
        "dry_run": "Store and show the exact request instead of sending it",
        "request_changes": "Whether a review requests changes where two vendors voted so; else it comments",
        "may_block": "Whether a status or check run may say failure, which can keep a merge back; else success or neutral",
        "progress": "What the head commit shows while an event is worked on: none, status or check_run (which needs an App)",
        "spacing_s": "Seconds between two writes with one credential, over all engines",
        "writes_per_minute": "Writes a minute with one credential, at most; the host's limit is 80",
        "writes_per_hour": "Writes an hour, at most; the host's limit is 500",
        "retry_s": "Seconds until a write that did not go through is tried again; doubles",
        "retry_cap_s": "Longest such wait, in seconds",
        "park_check_s": "Seconds between tries while the host refuses the credential",
        "expires_s": "Seconds after which an action that cannot be published waits for an operator",
        "webhook_url": "Where kinds with action `webhook` send their decisions; https, or this host",
        "webhook_secret_env": "Environment variable with the secret such messages are signed with (Standard Webhooks)",
        "webhook_secret_file": "Or a file with it",
        "webhook_timeout_s": "Seconds the receiver may take",
    },
    "queue": {
        "lease_s": "Seconds after which the work of an engine that fell silent is given to another",
        "drain_s": "Seconds an engine that stops may take to finish what it has in hand",
        "pause_hold_s": "Seconds after which waiting tasks of a paused provider go to the reserve, and it gets no new seats; 0: never",
        "aging_ms": "Milliseconds after which normal work is claimed like high, low after twice, bulk after thrice as long; 0: never",
        "max_waiting": "Undecided events at most; low priorities are shed first, then newcomers are refused",
        "memory_soft_bytes": "Bytes stored for events from which low priorities are shed as they come in, with an alert; 0: no limit",
        "memory_hard_bytes": "Bytes stored for events from which newcomers are refused; 0: no limit",
        "repository_max": "Tasks of one repository a lane works on at once, over all engines; the others stand aside; 0: no limit",
        "partitions": "Parts the queue is divided into; fixed when the store is first used",
        "payload_max_bytes": "Largest payload, in bytes",
        "expires_s": "Seconds after which an undecided event fails; it can be replayed",
        "park_check_s": "Seconds between looks whether a parked event can go on",
        "stage_concurrency": "Events each stage of one engine works on at the same time",
    },
    "shedding": {
        "enabled": "Put the least urgent events aside (state `shed`, replayable) before newcomers are refused",
        "least_priority": "The most urgent class that may be shed; it and all below: high, normal, low or bulk",
        "smaller_panel_fill": "Fill of the queue from which panels have one seat fewer, but not fewer than their quorum",
        "single_seat_fill": "Fill of the queue from which events that may be shed get one seat, for an operator to confirm",
        "max_wait_s": "Expected waiting, in seconds, from which such events are shed; the steps before come at these shares of it",
    },
    "retention": {
        "finished_s": "Seconds finished events are kept; failed and shed ones have bounds of their own",
        "finished_max": "Finished events of each state kept at most",
        "finished_bytes": "Bytes of finished events kept at most, the oldest go first; 0: no limit",
        "dead_max": "Failed and shed events kept at most; the oldest beyond go to files in `dead-letters` of the state folder",
        "dead_s": "Seconds failed and shed events are kept before they go to such a file; 0: for ever",
        "delivery_ids_s": "Seconds a delivery id is remembered, so that a second delivery is a duplicate",
        "event_log_max": "Lines of the fleet's log kept, about",
        "audit_max": "Entries of the audit kept, two a write; older ones are exported to files before they go",
        "audit_s": "How long entries of the audit are kept, in seconds; 0: as long as there is room for them",
        "decision_log_max": "records of the log of decisions; beyond that the oldest go, and an anchor stays",
        "decision_log_bytes": "and bytes of it",
        "quarantine_max": "Entries of the quarantine kept",
        "metrics_s": "Seconds metrics are kept",
    },
    "bulk": {
        "rate_per_s": "Events a second where nothing else is said",
        "rate_max_per_s": "Events a second at most",
        "events_max": "Events of one operation at most; what is beyond stays for a second one",
        "plan_keep_s": "Seconds a plan can be applied after it was made",
    },
    "ingress": {
        "secret_env": "Environment variables that hold webhook secrets; more than one while a secret is rotated",
        "secret_files": "Files that hold webhook secrets",
        "allow_unsigned_loopback": "Take unsigned deliveries from this host, for trying things",
        "source_networks": "Networks deliveries may come from, as 192.0.2.0/24; empty: all",
        "trusted_proxies": "Networks of proxies whose X-Forwarded-For is believed; empty: nobody's",
        "source_requests_per_s": "Requests a second from one source, twice as many at once; the rest gets 429; 0: no limit",
        "max_body_bytes": "Largest delivery, in bytes",
        "body_timeout_s": "Longest a delivery may take to arrive, in seconds",
        "headers_timeout_s": "Longest a connection may take to bring a request's headers, in seconds",
        "keep_alive_s": "Seconds a connection without a request is kept after an answer",
        "max_connections": "Connections at the same time, at most",
        "max_connections_per_source": "Of these, connections of one source that is neither this host nor a trusted proxy; 0: all",
        "store_patience_s": "Seconds a delivery waits for the store before it is spooled; code hosts want an answer within 10",
        "spool_dir": "Folder of deliveries the store did not take yet, one receiver each; empty: `spool` in the state folder",
        "spool_max_bytes": "Bytes the spool may have on disk; beyond it deliveries get 503; 0: no spool",
    },
    "legacy": {
        "enabled": "Whether engines read the list",
        "url": "Its server; not set: the store's",
        "events_key": "Key of the list producers push to",
        "processing_key": "Key of the list of what is being taken over",
        "max_waiting": "Entries its producers may leave there; at `alerts.queue_fill` of it an alert speaks. Nothing is dropped",
        "max_entry_bytes": "Largest entry, in bytes; larger ones go to the quarantine",
    },
    "sources": {
        "max_diff_bytes": "Bytes of a diff a provider is shown",
        "max_files": "Files of a change that are looked at",
        "max_file_bytes": "Bytes of one file's diff",
        "mirrors": "folders of git repositories on this host by patterns of names, as in 'acme/*' = '/srv/mirrors/{owner}/{name}.git'",
        "deadline_s": "seconds after which an event waits for its diff no longer",
        "attempts_max": "times a diff is asked for before the review goes on without",
        "backoff_s": "seconds between the first two of them; doubles",
        "git_timeout_s": "seconds git may take",
        "cache_s": "seconds a fetched diff is kept for the next event of the same commits",
        "cache_max_bytes": "bytes of all of them, deflated",
    },
    "hosts.github": {
        "base_url": "address of the REST API; of an Enterprise server it ends in /api/v3",
        "token_env": "environment variable with a token that may read contents and pull requests, and write what is to be published",
        "token_file": "or a file with it",
        "app_id": "id or client id of a GitHub App, which then is used instead of a token",
        "app_key_file": "file with the App's private key, in PEM form",
        "anonymous": "whether diffs are asked for without a token, of public repositories",
        **OURSELVES,
        "timeout_connect_s": "seconds to connect",
        "timeout_s": "seconds of silence",
        "timeout_total_s": "seconds for one question and its whole answer",
    },
    "reconcile": {
        "repositories": "repositories whose webhook is ours, as OWNER/NAME",
        "organizations": "organisations whose webhook is ours",
        "app": "whether to look at the webhook of the App of hosts.github",
        "hook_url": "address of our webhook there, to know it from others; * stands for anything",
        "every_s": "seconds between looks of the engines, the first at the start; 0: only by the command",
        "apply": "whether these looks ask for what is missing again; off, an alert tells of it",
        "max_age_s": "seconds back at most; GitHub forgets deliveries after three days, an Enterprise server after seven",
        "settle_s": "seconds a delivery is left alone, for it may be under way",
        "pages_max": "pages of a hundred deliveries read of one webhook in one run; the next run goes on there",
        "redeliveries_max": "deliveries asked for again in one run",
        "attempts_max": "times one delivery is asked for again before it is given up",
        "spacing_s": "seconds between two requests for a delivery",
    },
    "hosts.gitlab": {
        "base_url": "address of the REST API, ending in /api/v4",
        **READING,
        **OURSELVES,
    },
    "hosts.gitea": {
        "base_url": "address of the REST API, ending in /api/v1",
        **READING,
        **OURSELVES,
    },
    "console": {
        "theme": "Name of a theme",
        "refresh_s": "Seconds between pictures",
        "mouse": "Take the mouse; off, the terminal's own selection works",
        "ascii": "Draw with ASCII characters only",
        "bell": "Ring the terminal's bell when a critical alert appears",
        "title": "Say the first alert in the title of the terminal's window",
    },
    "keymap": {
        "ACTION": "Keys of an action instead of those it has, such as ctrl+x; several are apart by commas",
    },
    "rules": {
        "when": "Conditions; none: always",
        "kind": "The kind it makes of the event",
        "priority": "The priority it gives",
        "ignore": "Drop the event instead",
        "reason": "Shown with an ignored event",
    },
    "rules.when": {
        "type": "Event type, such as pull_request",
        "action": "Action or actions, such as opened",
        "repository": "Repository, with * as in acme/*",
        "paths": "Every changed file matches one of these patterns",
        "labels": "It carries one of these labels",
        "author": "Login of the author",
        "bot": "Whether the author is a bot",
        "draft": "Whether it is a draft",
        "min_changed_lines": "Changed lines at least",
        "max_changed_lines": "Changed lines at most",
    },
} | OPERATOR_NOTES

EXAMPLES: dict[str, str] = {
    "state_dir": '"/var/lib/gitbridge"',
    "redis.url": '"rediss://ops@redis-1:6380/0"',
    "legacy.url": '"redis://redis-2:6379/0"',
    "api_key_file": '"/run/secrets/NAME"',
    "roles.default": '"viewer"',
    "usd_per_day": "20.0",
    "tokens_per_day": "5_000_000",
    "price_input_usd_per_mtok": "3.0",
    "price_output_usd_per_mtok": "15.0",
    "price_cached_usd_per_mtok": "0.3",
}
"""How a key that has no default is written."""


def model_keys() -> Iterator[tuple[str, str]]:
    """Table and key of everything the model knows, with ``NAME`` and ``KIND`` for names that are free."""
    for name, field in Settings.model_fields.items():
        if name in {"providers", "kinds", "budgets", "rules", "hosts", "keymap"}:
            continue
        if hasattr(field.annotation, "model_fields"):
            yield from ((name, key) for key in _keys(field.annotation))
        else:
            yield "", name
    defaults = Settings()
    yield from (("providers.NAME", key) for key in type(defaults.providers["claude"]).model_fields)
    yield from (("kinds.KIND", key) for key in type(defaults.kinds["general"]).model_fields)
    yield from (("budgets.NAME", key) for key in BudgetSettings.model_fields)
    yield "keymap", "ACTION"
    yield from (("alerts.webhooks.NAME", key) for key in AlertWebhookSettings.model_fields)
    for name in type(defaults.hosts).model_fields:
        yield from ((f"hosts.{name}", key) for key in type(getattr(defaults.hosts, name)).model_fields)
    yield from (("rules", key) for key in Rule.model_fields)
    yield from (("rules.when", key) for key in RuleMatch.model_fields)


def _keys(model: Any) -> list[str]:
    return list(model.model_fields)
