"""Presets of `robossl pretrain`."""
