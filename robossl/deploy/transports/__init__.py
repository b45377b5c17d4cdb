"""Ways to a robot: each in its own module, so that only the chosen one must be installed."""

from robossl.deploy.transports.transport import Receive, Topic, Transport

__all__ = ["Receive", "Topic", "Transport"]
