"""Names from outside that may become part of an address or a command: checked once, here."""

from __future__ import annotations

import re

REPOSITORY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}/(?!\.{1,2}$)[A-Za-z0-9_.-]{1,100}")
SHA = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
NO_COMMIT = re.compile(r"0{40}(?:0{24})?")
"""What a push names as the commit before, where there was none."""
