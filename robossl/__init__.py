"""robossl: a workbench for robots that learn from their own experience."""

from robossl.version import VERSION

__version__ = VERSION

__all__ = ["__version__"]
