"""Lets tests import `deploy_robots` and the like from this folder."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
