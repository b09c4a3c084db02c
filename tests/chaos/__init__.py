"""The chaos test: real engines on a real server, killed, frozen and robbed of their leases while events come in.

``python -m tests.chaos --events 5000`` runs it by itself and prints a report.
"""
