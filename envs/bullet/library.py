"""Imports PyBullet, in this one place, without the line that it prints on the standard error."""

from robossl.envs.optional import silenced

with silenced():
    import pybullet

__all__ = ["pybullet"]
