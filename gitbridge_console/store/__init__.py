"""Everything kept in Redis, and nothing else. The only room that imports ``redis``."""
