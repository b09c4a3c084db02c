"""What an empty screen says: what will stand there, and where to go from it."""

from __future__ import annotations

EMPTY = {
    "pulse": "No lanes yet.\nThey come with the first engine: gitbridge-console worker, on this host or another one.",
    "queue": "Nothing waits: all work is done.\n"
    "Events come by webhook, by gitbridge-console submit, or from the demo. Each waits here in the order in which it will be claimed.\n"
    "enter opens one, + and - change its priority, C cancels it.",
    "providers": "No providers are configured.\n[providers] in the settings names them; 8 opens the documentation.",
    "failures": "Nothing failed.\n"
    "What fails, is parked or shed will stand here, what changed last on top.\n"
    "enter opens one, R runs it again, space marks several.",
    "consensus": "No decisions yet.\n"
    "Each will stand here with how far the reviewers agree.\n"
    "enter opens the differences, O approves and N rejects what waits for you.",
    "log": "Nothing happened yet.\nThe fleet's events and every operator's write will stand here, newest first.",
    "bulk": "No bulk operation yet.\n"
    "/ narrows a list, * marks all that match; R, C, = or M plans it for all of them, and here it is confirmed and followed.",
    "groups": "No dead letters.\nFailed and shed events are counted here by error, panel and kind; enter goes to all events of a group.",
    "fleet": "No engine is running.\nStart one: gitbridge-console worker, on this host or another one.",
}
"""The first line says how it is, those below what to do."""
