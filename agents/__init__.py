"""Reinforcement-learning agents with a shared, pretrainable encoder; one folder each."""
