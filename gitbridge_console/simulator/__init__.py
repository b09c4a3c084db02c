"""Simulated AI services and made-up traffic: what `gitbridge-console demo` runs on instead of the outside world."""
