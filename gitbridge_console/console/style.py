"""Where things stand on the screen. Sizes follow the classes that the breakpoints set."""

from __future__ import annotations

CSS = """
Screen { background: $background; color: $foreground; overflow: hidden hidden; }
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
#charts { height: 1fr; layout: grid; grid-size: 1; grid-gutter: 0 2; }
.chart { display: none; }
#chart0 { display: block; }
#first-run { display: none; height: 1fr; }
#counts { height: 2; }
#right { height: 3; }
#right-title { display: none; height: 1; }
#log { height: 1fr; }
.-tall #alerts { padding: 0 1 1 1; }
.-tall #lanes, .-tall #charts { margin: 0 0 1 0; }
.-split #charts { grid-size: 2; }
.-wide #charts { grid-size: 2; grid-gutter: 1 2; }
.-split #chart1, .-wide .chart { display: block; }
.-tall #counts { height: 4; padding: 0 1 1 1; }
.-tall #right { height: 8; }
.-wide #pulse { layout: horizontal; }
.-wide #left { width: 3fr; height: 1fr; }
.-wide #right { width: 2fr; height: 1fr; padding: 0 0 0 2; }
.-wide #right-title { display: block; }
.-wide.-short .chart { display: none; }
.-wide.-short #chart0, .-wide.-short #chart1 { display: block; }
.-first-run #charts, .-first-run #counts { display: none; }
.-first-run #first-run { display: block; margin: 1 0 0 0; }

ProviderScreen #charts { display: none; height: 12; margin: 0 0 1 0; }
ProviderScreen.-tall #charts { display: block; }
ProviderScreen #page { height: 1fr; }
#split { height: 1fr; }
#split #detail { display: none; }
#providers { margin: 0 0 1 0; }
ProvidersScreen #latency { display: none; height: 1fr; }
.-tall ProvidersScreen #latency, ProvidersScreen.-tall #latency { display: block; width: 1fr; margin: 1 0; }
ProvidersScreen.-tall #detail { height: 16; }
.-split #split #detail, .-wide #split #detail { display: block; width: 2fr; padding: 0 1 0 2; }
.-split #split RowTable, .-wide #split RowTable { width: 3fr; }
"""
