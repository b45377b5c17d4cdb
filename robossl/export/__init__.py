"""From a trained agent to a bundle that a robot can run: graph, contract and the proof that they are the agent."""

from robossl.export.config import ExportConfig

__all__ = ["ExportConfig"]
