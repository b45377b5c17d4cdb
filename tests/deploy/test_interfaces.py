"""No socket hears or says anything beyond the interface that the profile names."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from namespaces import NAMESPACE, needs_namespaces

from robossl.core import UserError
from robossl.deploy.transports.interfaces import address_of, confined

PEERS = Path(__file__).parent / "peers"


def outside(interface: str) -> Any:
    """Returns what peers/outside_packets.py says of a transport on this interface."""
    words = [*NAMESPACE, sys.executable, str(PEERS / "outside_packets.py"), interface, "dds"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=90)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@needs_namespaces
def test_dds_on_the_loopback_interface_is_deaf_and_mute_to_the_network() -> None:
    found = outside("lo")
    assert found["ordinary"] == 20  # the packets do arrive at this machine
    assert found["ports"] == 2
    assert found["dropped"] == found["sent"] == 40
    assert found["went_out"] == 0
    assert found["heard_each_other"]


@needs_namespaces
def test_dds_on_a_named_interface_hears_that_one_and_this_machine() -> None:
    found = outside("ve0")
    assert found["dropped"] == 0
    assert found["heard_each_other"]


def test_looking_at_sockets_leaves_no_file_open() -> None:
    before = len(os.listdir("/proc/self/fd"))
    with confined("lo"):
        pass
    assert len(os.listdir("/proc/self/fd")) == before


def test_an_interface_that_is_not_there_is_named() -> None:
    assert address_of("lo") == "127.0.0.1"
    with pytest.raises(UserError, match="network interface 'nowhere0' has no address"):
        address_of("nowhere0")
