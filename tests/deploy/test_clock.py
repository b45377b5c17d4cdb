"""Time goes on while the machine is suspended, for whoever counts how old a message is."""

import shutil
import subprocess
import sys

import pytest

SHIFTED_S = 100_000
NAMESPACE = ["unshare", "--user", "--map-root-user", "--time", "--boottime", str(SHIFTED_S), "--fork"]
ASK = "import time; from robossl.deploy.clock import now_s; print(now_s() - time.monotonic())"


def test_the_clock_counts_what_a_suspend_adds() -> None:
    """In a time namespace the clock that counts suspends is ahead of the other one, as after a suspend."""
    if shutil.which(NAMESPACE[0]) is None:
        pytest.skip("unshare is not installed")
    done = subprocess.run([*NAMESPACE, sys.executable, "-c", ASK], capture_output=True, text=True, check=False)
    if done.returncode and "unshare" in done.stderr:
        pytest.skip(f"time namespaces may not be made here: {done.stderr.strip()}")
    assert float(done.stdout) > SHIFTED_S - 1
