"""Plain data and pure rules. Imports nothing else of this package and does no I/O."""
