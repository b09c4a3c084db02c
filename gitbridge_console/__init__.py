"""GitBridge Console: route code-host events to several AI services, decide, act, and steer it all from a terminal."""

__version__ = "0.1.0"
