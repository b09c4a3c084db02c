"""Where things stand on the screen. Sizes follow the classes that the breakpoints set."""

from __future__ import annotations

CSS = """
Screen { background: $background; color: $foreground; }
Lines, Chart, Page, RowTable, BottomRow, Container, Horizontal { background: $background; color: $foreground; }
Header, BottomRow { background: $panel; }
Page { padding: 0 1; }
#too-small { display: none; height: 1fr; }
.-tiny #too-small, .-tiny-h #too-small { display: block; }
.-tiny RowTable, .-tiny-h RowTable, .-tiny #alerts, .-tiny-h #alerts, .-tiny Page, .-tiny-h Page { display: none; }
.-tiny #pulse, .-tiny-h #pulse, .-tiny #split, .-tiny-h #split { display: none; }

#alerts, #counts, #log, #right-title, #first-run { padding: 0 1; }
#alerts { height: 1; }
#pulse { height: 1fr; layout: vertical; }
#left { height: 1fr; }
#charts { height: 1fr; }
#latency { height: 1fr; }
#depth, #errors { display: none; height: 1fr; }
#first-run { display: none; height: 1fr; }
#counts { height: 2; }
#right { height: 3; }
#right-title { display: none; height: 1; }
#log { height: 1fr; }
.-tall #alerts { padding: 0 1 1 1; }
.-tall #lanes, .-tall #charts { margin: 0 0 1 0; }
.-split #charts { layout: horizontal; }
.-split #latency { width: 3fr; }
.-split #depth { width: 2fr; }
.-split #depth, .-wide #depth { display: block; }
.-tall #counts { height: 4; padding: 0 1 1 1; }
.-tall #right { height: 8; }
.-wide #pulse { layout: horizontal; }
.-wide #left { width: 3fr; height: 1fr; }
.-wide #right { width: 2fr; height: 1fr; padding: 0 0 0 2; }
.-wide #right-title, .-wide #errors { display: block; }
.-wide #charts > Chart { margin: 0 0 1 0; }
.-first-run #charts, .-first-run #counts { display: none; }
.-first-run #first-run { display: block; margin: 1 0 0 0; }

#split { height: 1fr; }
#split #detail { display: none; }
#providers { margin: 0 0 1 0; }
ProvidersScreen #latency { display: none; }
.-tall ProvidersScreen #latency, ProvidersScreen.-tall #latency { display: block; width: 1fr; margin: 1 0; }
ProvidersScreen.-tall #detail { height: 16; }
.-split #split #detail, .-wide #split #detail { display: block; width: 2fr; padding: 0 1 0 2; }
.-split #split RowTable, .-wide #split RowTable { width: 3fr; }
"""
