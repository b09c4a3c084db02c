"""What an empty screen says: what will stand there, and where to go from it."""

from __future__ import annotations

EMPTY = {
    "pulse": "no lanes yet: they come with the first engine (gitbridge-console worker)",
    "queue": "nothing waits: all work is done. Events come by webhook, `submit` or the demo; each waits here in the order of claiming",
    "providers": "no providers are configured: [providers] in the settings, 8 opens the documentation",
    "failures": "nothing failed. What fails, is parked or shed stands here; enter opens it, R runs it again",
    "consensus": "no decisions yet. Each one stands here with how far the reviewers agree; enter opens the differences",
    "log": "nothing happened yet. The fleet's events and every operator's write will stand here, newest first",
    "bulk": "no bulk operation yet: / narrows a list, * marks all that match, R, C, F or = plans it for all of them",
    "fleet": "no engine is running: start one with gitbridge-console worker",
}
