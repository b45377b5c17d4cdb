"""Network namespaces, for tests that need another network interface."""

import shutil
import subprocess

import pytest

NAMESPACE = ["unshare", "--user", "--map-root-user", "--net"]
CABLE = ["ip", "link", "add", "ve0", "type", "veth", "peer", "name", "ve1"]


def has_namespaces() -> bool:
    if shutil.which("unshare") is None or shutil.which("ip") is None:
        return False
    return subprocess.run([*NAMESPACE, *CABLE], capture_output=True, check=False).returncode == 0


needs_namespaces = pytest.mark.skipif(
    not has_namespaces(), reason="network namespaces with veth (unshare, ip) may not be made here"
)
