"""Presets of `robossl train`."""
