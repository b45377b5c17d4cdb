"""Soft actor-critic on pixels and vectors."""

from robossl.agents.sac.config import SACConfig
from robossl.agents.sac.policy import SACPolicy
from robossl.agents.sac.sac import SAC

__all__ = ["SAC", "SACConfig", "SACPolicy"]
