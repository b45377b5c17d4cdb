"""Presets of `robossl collect`."""
