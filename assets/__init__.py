"""MJCF models written for this project, as package data."""
