from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from robossl.cli.main import main
from robossl.cli.profiles import install_profile, load_profile, profile_names
from robossl.core import Bundle, UnknownNameError, UserError
from robossl.deploy.arm_motion import ArmMotion
from robossl.deploy.base_motion import BaseMotion
from robossl.deploy.kinematics import ToolKinematics
from robossl.deploy.limits import ArmLimits
from robossl.deploy.motion import Measured
from robossl.deploy.profile import FILE, read_profile
from robossl.envs.tasks.panda import POSITION_MAX_RAD, POSITION_MIN_RAD, VELOCITY_MAX_RAD_S, IKConfig


@pytest.mark.parametrize("name", profile_names())
def test_every_profile_is_whole_and_travels_as_json(name: str) -> None:
    profile = load_profile(name)
    assert profile.name == name
    limits = profile.limits
    motion = ArmMotion(limits, period_s=0.02) if isinstance(limits, ArmLimits) else BaseMotion(limits, period_s=0.02)
    assert motion.at_rest


def test_only_the_generic_base_may_not_go_live_as_it_is() -> None:
    refused = []
    for name in profile_names():
        try:
            load_profile(name).require_live()
        except UserError:
            refused.append(name)
    assert refused == ["camera_base"]


def test_the_panda_has_the_simulated_ones_limits_and_posture() -> None:
    profile = load_profile("panda")
    assert isinstance(profile.limits, ArmLimits)
    joints = profile.limits.joints
    np.testing.assert_array_equal([joint.min_rad for joint in joints], POSITION_MIN_RAD)
    np.testing.assert_array_equal([joint.max_rad for joint in joints], POSITION_MAX_RAD)
    np.testing.assert_array_equal([joint.velocity_rad_s for joint in joints], VELOCITY_MAX_RAD_S)
    posture = np.array(IKConfig().posture_rad)
    assert profile.tool_control is not None
    assert profile.tool_control.posture_rad is None
    ArmMotion(profile.limits, period_s=0.08).start(Measured(position=posture, velocity=np.zeros(7)))


def test_the_ur5e_stretched_out_reaches_as_far_as_its_data_sheet_says() -> None:
    limits = load_profile("ur5e").limits
    assert isinstance(limits, ArmLimits)
    assert limits.tool is not None
    stretched = ToolKinematics(limits.tool).positions(np.zeros((1, 6)))[0]
    np.testing.assert_allclose(stretched, [-0.8172, -0.2329, 0.0628], atol=1e-9)


def test_a_limit_that_stands_there_twice_is_refused(tmp_path: Path) -> None:
    text = files("robossl.configs").joinpath("robots", "diff_drive.yaml").read_text()
    path = tmp_path / "mine.yaml"
    path.write_text(text.replace("stop_m: 0.10", "stop_m: 0.10\n    stop_m: 0.01"))
    with pytest.raises(UserError, match=r"mine\.yaml: not valid YAML: key 'stop_m' stands there twice in .* line \d+"):
        load_profile(str(path))


def test_an_unknown_profile_is_named_with_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match=r"'pandas'; did you mean 'panda'\?"):
        load_profile("pandas")


def test_a_profile_travels_in_the_bundle(tmp_path: Path, toy_bundle: Path) -> None:
    before = Bundle(toy_bundle).digest
    digest = install_profile(toy_bundle, load_profile("diff_drive"))
    bundle = Bundle(toy_bundle)
    assert bundle.digest == digest != before
    assert read_profile(bundle.read(FILE), file=FILE) == load_profile("diff_drive")
    assert load_profile("diff_drive", bundle) == load_profile("diff_drive")


@pytest.mark.parametrize(
    ("words", "code", "line"),
    [
        ([], 2, "give a bundle and --profile NAME; known profiles: camera_base, depth_base, diff_drive, panda, "),
        (["--profile", "pandas"], 2, "unknown profile 'pandas'; did you mean 'panda'?"),
        (["--profile", "panda", "--speeed", "1"], 2, "unknown argument '--speeed'; did you mean '--speed'?"),
        (["--profile", "panda"], 1, "profile panda: no input gives 'speed_m_s', which the policy needs"),
        (["--profile", "camera_base", "--live", "--confirm", "x"], 1, "profile camera_base may not go live: it lacks"),
    ],
)
def test_a_mistake_is_one_line_before_anything_is_opened(
    words: list[str], code: int, line: str, toy_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["bridge", str(toy_bundle), *words])
    assert stopped.value.code == code
    error = capsys.readouterr().err
    assert error.startswith(f"robossl: {line}")
    assert error.count("\n") == 1


def test_the_verb_puts_a_profile_into_the_bundle(toy_bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["bridge", str(toy_bundle), "--profile", "diff_drive", "--install-profile"])
    assert stopped.value.code == 0
    assert Bundle(toy_bundle).digest in capsys.readouterr().out


@pytest.fixture
def toy_bundle(tmp_path: Path) -> Path:
    """Returns a sealed folder with a contract and a graph."""
    import sys

    sys.path.insert(0, str(Path(__file__).parent.parent / "deploy"))
    from toy_bundle import write_toy_bundle

    return write_toy_bundle(tmp_path / "bundle")


def test_an_unknown_profile_is_named_before_the_bundle_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["bridge", str(tmp_path / "nowhere"), "--profile", "pandas"])
    assert capsys.readouterr().err == "robossl: unknown profile 'pandas'; did you mean 'panda'?\n"
    with pytest.raises(SystemExit):
        main(["bridge", str(tmp_path / "nowhere"), "--profile", "mine.yaml"])
    assert capsys.readouterr().err == "robossl: mine.yaml cannot be read: No such file or directory\n"
