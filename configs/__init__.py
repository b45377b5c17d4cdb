"""Presets, as package data."""
