"""The engine: classify, choose providers, ask them, decide, act."""
