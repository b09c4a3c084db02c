"""Clients of code hosts."""
