"""What `make ros-demo` runs without a bundle of one's own: sealed, small, and for the profiles that it names."""

from importlib.resources import as_file, files

import pytest

from robossl.cli.profiles import load_profile
from robossl.cli.rehearse import SHIPPED
from robossl.core import Bundle
from robossl.deploy.bridge import Bridge, State
from robossl.deploy.policy import OnnxPolicy

MAX_BYTES = 200_000


@pytest.mark.parametrize(("profile", "folder", "succeeds"), SHIPPED)
def test_a_shipped_bundle_runs_on_its_profiles_robot(profile: str, folder: str, succeeds: bool) -> None:
    with as_file(files("robossl.assets").joinpath("bundles", folder)) as path:
        bundle = Bundle(path)
        assert sum(len(bundle.read(name)) for name in bundle.names) < MAX_BYTES
        robot = load_profile(profile)
        robot.require_live()
        bridge = Bridge(OnnxPolicy(bundle), robot, speed=1.0, obeyed=True)
    assert bridge.state is State.WAIT
