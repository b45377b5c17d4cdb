"""Cameras: two renderers, one interface."""
