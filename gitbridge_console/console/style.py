"""Where things stand on the screen. Sizes follow the classes that the breakpoints set."""

from __future__ import annotations

CSS = """
Screen { background: $background; color: $foreground; }
Lines, Chart, Page, RowTable, BottomRow, Container, Horizontal { background: $background; color: $foreground; }
#header { height: 1; background: $panel; }
#tabs { height: 1; }
BottomRow { background: $panel; }
#too-small { display: none; height: 1fr; }
.-tiny #too-small, .-tiny-h #too-small { display: block; }
.-tiny RowTable, .-tiny-h RowTable, .-tiny #alerts, .-tiny-h #alerts, .-tiny Page, .-tiny-h Page { display: none; }
.-tiny #pulse, .-tiny-h #pulse, .-tiny #split, .-tiny-h #split { display: none; }

#alerts { height: 1; }
.-tall #alerts { height: 3; }
#pulse { height: 1fr; layout: vertical; }
#left { height: 1fr; }
#lanes { height: 8; }
#latency { height: 1fr; min-height: 4; }
#depth { display: none; height: 1fr; }
#counts { height: 3; }
#right { height: 4; }
#right-title { display: none; height: 1; }
#log { height: 1fr; }
.-tall #depth { display: block; }
.-tall #right { height: 9; }
.-wide #pulse { layout: horizontal; }
.-wide #left { width: 3fr; height: 1fr; }
.-wide #right { width: 2fr; height: 1fr; padding: 0 0 0 2; }
.-wide #right-title { display: block; }

#split { height: 1fr; }
#split #detail { display: none; }
.-split #split #detail, .-wide #split #detail { display: block; width: 2fr; padding: 0 0 0 2; }
.-split #split RowTable, .-wide #split RowTable { width: 3fr; }
"""
