"""Screens of the console, each a mode with its own way down."""
