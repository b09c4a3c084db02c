"""The AI services, each behind one small protocol, and everything that is known about how they fail."""
