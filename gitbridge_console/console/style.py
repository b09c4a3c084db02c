"""Where things stand on the screen. Sizes follow the classes that the breakpoints set.

What the first frame does not show is read with the widgets it is about: reading a rule takes as long as drawing a line. Rules that come
with a widget hold for it and for what is mounted after it, not for what stood there before.
"""

from __future__ import annotations

CSS = """
Screen { background: $background; color: $foreground; overflow: hidden hidden; }
Lines, Chart, Page, RowTable, BottomRow, Container, Horizontal { background: $background; color: $foreground; }
Header, BottomRow { background: $panel; }
#too-small { display: none; height: 1fr; }
.-tiny #too-small { display: block; }
.-tiny #alerts, .-tiny #pulse, .-tiny #split, .-tiny RowTable, .-tiny Page { display: none; }
"""

PULSE_CSS = """
#alerts { height: 1; padding: 0 1; }
#pulse { height: 1fr; layout: vertical; }
#left { height: 1fr; }
.-tall #alerts { padding: 0 1 1 1; }
.-tall #lanes { margin: 0 0 1 0; }
.-wide #pulse { layout: horizontal; }
.-wide #left { width: 3fr; }
"""

CHARTS_CSS = """
#counts, #log, #right-title, #first-run { padding: 0 1; }
#charts { height: 1fr; layout: grid; grid-size: 1; grid-gutter: 0 2; }
.chart { display: none; }
#chart0 { display: block; }
#first-run { display: none; height: 1fr; }
#counts { height: 2; }
#right { height: 3; }
#right-title { display: none; height: 1; }
#log { height: 1fr; }
.-tall #charts { margin: 0 0 1 0; }
.-split #charts { grid-size: 2; }
.-wide #charts { grid-size: 2; grid-gutter: 1 2; }
.-split #chart1, .-wide .chart { display: block; }
.-tall #counts { height: 4; padding: 0 1 1 1; }
.-tall #right { height: 8; }
.-wide #right { width: 2fr; height: 1fr; padding: 0 0 0 2; }
.-wide #right-title { display: block; }
.-wide.-short .chart { display: none; }
.-wide.-short #chart0, .-wide.-short #chart1 { display: block; }
.-first-run #charts, .-first-run #counts { display: none; }
.-first-run #first-run { display: block; margin: 1 0 0 0; }

ProviderScreen #charts { display: none; height: 12; margin: 0 0 1 0; }
ProviderScreen.-tall #charts { display: block; }
ProviderScreen #page { height: 1fr; }
"""

SPLIT_CSS = """
#split { height: 1fr; }
#split #detail { display: none; }
.-split #split #detail, .-wide #split #detail { display: block; width: 2fr; padding: 0 1 0 2; }
.-split #split RowTable, .-wide #split RowTable { width: 3fr; }
"""

PROVIDERS_CSS = """
#providers { margin: 0 0 1 0; }
ProvidersScreen #latency { display: none; height: 1fr; }
.-tall ProvidersScreen #latency, ProvidersScreen.-tall #latency { display: block; width: 1fr; margin: 1 0; }
ProvidersScreen.-tall #detail { height: 16; }
"""
