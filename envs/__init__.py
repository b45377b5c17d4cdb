"""Simulated environments: engines, cameras, tasks, and adapters to Gymnasium and stable-baselines3."""
