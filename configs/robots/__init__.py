"""Profiles of robots: topics, limits and how the guard is tuned."""
