"""Run by `make deploy-test` where nothing but robossl-deploy is installed: what is not there, and a measured run.

usage: small_run.py BUNDLE, whose profile is small_base
"""

import importlib.metadata
import json
import subprocess
import sys
import tempfile
from pathlib import Path

ABSENT = {"torch", "mujoco", "stable-baselines3", "gymnasium", "pyyaml", "tyro", "opencv-python-headless", "pybullet"}

if __name__ == "__main__":
    installed = {distribution.metadata["Name"].lower() for distribution in importlib.metadata.distributions()}
    assert not installed & ABSENT, f"installed with robossl-deploy: {sorted(installed & ABSENT)}"
    assert "robossl" not in installed
    with tempfile.TemporaryDirectory() as empty:
        words = [sys.argv[1], "--profile", "small_base", "--latency-test", "3", "--record", f"{empty}/bags", "--json"]
        done = subprocess.run(
            [sys.executable, "-m", "robossl.deploy", *words], capture_output=True, text=True, cwd=empty
        )
        assert done.returncode == 0, done.stdout + done.stderr
        summary = json.loads(done.stdout.splitlines()[-1])
        assert Path(summary["recording"]).is_dir()
    assert summary["latency"]["bridge to robot"]["p50_ms"] > 0
    print(f"{len(installed)} packages: {', '.join(sorted(installed))}")
    print("\n".join(done.stdout.splitlines()[:-1]))
