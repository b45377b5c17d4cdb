"""The tasks: what the robot sees, does, and is rewarded for."""
