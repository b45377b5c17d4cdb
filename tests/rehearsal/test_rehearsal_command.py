"""`robossl sim-robot` as a person types it: wrong words in one line, and both processes over real DDS."""

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from importlib.resources import as_file, files
from pathlib import Path

import pytest

from robossl.cli import sim_robot
from robossl.cli.main import main
from robossl.cli.profiles import load_profile
from robossl.core.files import write_json
from robossl.core.strict_json import to_json
from robossl.deploy.profile import SIMULATED_DOMAIN, RosConfig
from robossl.deploy.streams import LastingFile
from robossl.deploy.transports.loopback import LoopbackNetwork, LoopbackTransport

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def typed(capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs the command line; returns exit code, stdout and stderr."""

    def run(*words: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as stop:
            main(["sim-robot", *words])
        out, err = capsys.readouterr()
        return int(str(stop.value.code)), out, err

    return run


@pytest.fixture
def reach(tmp_path: Path) -> Path:
    """A copy of the bundle that comes with robossl."""
    with as_file(files("robossl.assets").joinpath("bundles", "arm_reach")) as path:
        return Path(shutil.copytree(path, tmp_path / "bundle"))


@pytest.fixture
def panda(tmp_path: Path) -> Path:
    """The profile in a domain of this test's own."""
    profile = load_profile("panda")
    own = replace(profile, ros=replace(profile.ros, domain_id=100 + (os.getpid() + 1) % 100))
    write_json(tmp_path / "panda.json", to_json(own))
    return tmp_path / "panda.json"


def test_an_unknown_profile_is_named_before_any_bundle_is_read(typed: Run) -> None:
    code, _, err = typed("pandas", "--bundle", "nowhere")
    assert (code, err) == (2, "robossl: unknown profile 'pandas'; did you mean 'panda'?\n")


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        ((), 2, "give a profile: camera_base, depth_base, diff_drive, panda, ring_car, ur5e, or a file's path"),
        (("panda",), 2, "give one of --env ID and --bundle FOLDER: whose model is the robot?"),
        (("panda", "--env", "a", "--bundle", "b"), 2, "give one of --env ID and --bundle FOLDER"),
        (("panda", "--bundle", "nowhere"), 1, "nowhere is not a bundle: it has no manifest.json with a seal.sha256"),
        (("panda", "--env", "robossl/ArmReach-v1"), 2, "did you mean 'robossl/ArmReach-v0'?"),
        (("ur5e", "--env", "robossl/ArmReach-v0"), 1, "drives no joint 'shoulder_pan_joint'"),
        (("diff_drive", "--env", "robossl/ArmReach-v0"), 1, "it is another robot"),
        (("panda", "--env", "robossl/RingCorridor-v0"), 1, "drives no joint 'joint1'"),
        (("panda", "--env", "robossl/ArmReach-v0", "--faults", "nano"), 2, "invalid choice 'nano'"),
        (("panda", "--env", "robossl/ArmReach-v0", "--fault-sizes.delay-s", "-1"), 1, "delay-s must be positive"),
        (("panda", "--env", "robossl/ArmReach-v0", "--drivers.camera-hz", "0"), 1, "camera-hz must be positive"),
        (("panda", "--env", "robossl/ArmReach-v0", "--episodes", "0"), 1, "episodes must be at least 1, got 0"),
        (("panda", "--env", "robossl/ArmReach-v0", "--with-bridge"), 2, "--with-bridge needs --bundle FOLDER"),
        (("panda", "--bundle", "b", "--with-bridge", "--network", "profile"), 2, "--network profile is for a robot by"),
        (
            ("panda", "--bundle", "b", "--bridge-transport", "rclpy"),
            2,
            "--bridge-transport is of the bridge that --with-",
        ),
        (("camera_base", "--bundle", "b", "--with-bridge"), 1, "profile camera_base may not go live: it lacks"),
        (("panda", "--demo"), 2, "a demo takes a profile and --bundle FOLDER, or neither of them"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(words: tuple[str, ...], code: int, message: str, typed: Run) -> None:
    found, out, err = typed(*words)
    assert found == code, err
    assert message in err
    assert err.count("\n") == 1
    assert out == ""


def test_a_changed_byte_in_the_bundle_is_refused(typed: Run, reach: Path) -> None:
    policy = reach / "policy.onnx"
    policy.write_bytes(policy.read_bytes()[:-1] + b"x")
    code, _, err = typed("panda", "--bundle", str(reach))
    assert code == 1
    assert "policy.onnx" in err


@pytest.mark.parametrize("words", [("--demo",), ("--with-bridge",)])
def test_a_bundle_for_another_robot_is_refused_before_any_process_starts(
    words: tuple[str, ...], typed: Run, reach: Path
) -> None:
    code, out, err = typed("ring_car", "--bundle", str(reach), *words)
    assert (code, out) == (1, "")
    assert err.startswith("robossl: profile ring_car: no input gives 'position:joint1', which the policy needs")
    assert err.count("\n") == 1


def test_alone_it_runs_for_its_time_and_says_which_topics_it_lacks(typed: Run, panda: Path) -> None:
    words = (str(panda), "--network", "profile", "--env", "robossl/ArmReach-v0", "--seconds", "0.3", "--json")
    code, out, err = typed(*words)
    assert code == 0
    summary = json.loads(out.splitlines()[-1])
    assert (summary["episodes"], summary["commands"]) == (0, 0)
    assert "/block/odometry is silent: unknown body of the model 'block'" in err


def test_it_speaks_where_no_real_robot_listens_unless_it_is_told_to(
    typed: Run, panda: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[RosConfig] = []
    network = LoopbackNetwork()

    def open_transport(ros: RosConfig, types: object) -> LoopbackTransport:
        opened.append(ros)
        return LoopbackTransport(network)

    monkeypatch.setattr(sim_robot, "open_transport", open_transport)
    real = replace(load_profile("panda").ros, interface="eth0", peers=("192.168.1.2",), transport="rosbridge")
    write_json(panda, to_json(replace(load_profile("panda"), ros=real)))
    words = (str(panda), "--env", "robossl/ArmReach-v0", "--seconds", "0.1")
    code, _, err = typed(*words)
    assert code == 0
    assert "`robossl bridge` hears it with --network simulated" in err
    assert typed(*words, "--network", "profile")[0] == 0
    own, told = opened
    assert (own.transport, own.interface, own.peers, own.domain_id) == ("dds", "lo", (), SIMULATED_DOMAIN)
    assert told == replace(real, node="robossl_sim_robot")
    assert typed(*words, "--network", "both")[0] == 2


@pytest.mark.parametrize(
    ("unread", "end", "stops"), [("stdout", (), True), ("stderr", (), True), ("stderr", ("--seconds", "0.3"), False)]
)
def test_without_an_end_it_runs_for_as_long_as_somebody_reads_what_it_tells(
    typed: Run, monkeypatch: pytest.MonkeyPatch, unread: str, end: tuple[str, ...], stops: bool
) -> None:
    monkeypatch.setattr(sim_robot, "open_transport", lambda ros, types: LoopbackTransport(LoopbackNetwork()))
    read, written = os.pipe()
    os.close(read)
    monkeypatch.setattr(sys, unread, io.TextIOWrapper(LastingFile(written), write_through=True))
    code, out, err = typed("panda", "--env", "robossl/ArmReach-v0", "--json", *end)
    os.close(written)
    assert code == 0
    if unread == "stdout":
        assert err.splitlines()[-1] == "stopped: nobody reads any more what the robot tells"
    else:
        assert (json.loads(out.splitlines()[-1])["seconds"] < 0.3) == stops


OPERATOR = """
import sys, time
from pathlib import Path
from robossl.rehearsal.child import Child
from robossl.rehearsal.stage import _COMMAND_LINE
words = ["sim-robot", sys.argv[2], "--network", "profile", "--env", "robossl/ArmReach-v0"]
robot = Child("robot", ["-c", _COMMAND_LINE, *words])
bridge = Child("bridge", ["-m", "robossl.deploy", sys.argv[1], "--profile", sys.argv[2], *sys.argv[3:]])
deadline_s = time.monotonic() + 60
while not (robot.lines and bridge.lines):
    assert time.monotonic() < deadline_s, "neither process said a word"
    time.sleep(0.05)
assert robot._process.poll() is None and bridge._process.poll() is None, (robot.lines, bridge.lines)
print(robot._process.pid, bridge._process.pid, flush=True)
time.sleep(60)
"""


def lives(process: int) -> bool:
    """Tells whether a process runs: what has ended and was not waited for does not."""
    try:
        stat = Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def test_neither_robot_nor_bridge_outlives_an_operator_who_is_killed(reach: Path, panda: Path, tmp_path: Path) -> None:
    words = [str(reach), str(panda), "--live", "--confirm", "panda", "--record", str(tmp_path / "bags")]
    operator = subprocess.Popen([sys.executable, "-c", OPERATOR, *words], stdout=subprocess.PIPE, text=True)
    assert operator.stdout is not None
    children = [int(word) for word in operator.stdout.readline().split()]
    assert len(children) == 2
    operator.kill()
    operator.wait()
    deadline_s = time.monotonic() + 20.0
    while any(map(lives, children)) and time.monotonic() < deadline_s:
        time.sleep(0.05)
    left = [child for child in children if lives(child)]
    for child in left:
        os.kill(child, signal.SIGKILL)
    assert not left


@pytest.mark.slow
def test_two_processes_over_dds_succeed_and_their_stops_are_timed(typed: Run, reach: Path) -> None:
    code, out, err = typed("panda", "--bundle", str(reach), "--demo", "--json")
    assert code == 0, out + err
    assert "episodes succeeded" in out
    stops = json.loads(out.splitlines()[-1])["stops"]
    assert [stop["cause"] for stop in stops] == ["operator types hold", "link is lost", "SIGKILL of bridge"]
    assert "stale_input: /joint_states" in stops[1]["named"]
    assert all(stop["rest_s"] > 0 for stop in stops)


@pytest.mark.slow
def test_episodes_through_the_bridge_succeed_as_in_the_evaluation(typed: Run, reach: Path) -> None:
    code, out, err = typed("panda", "--bundle", str(reach), "--with-bridge", "--episodes", "4", "--json")
    assert code == 0, err
    summary = json.loads(out.splitlines()[-1])
    assert summary["episodes"] == 4
    assert summary["success_rate"] >= 0.75
    assert summary["rejected"] == 0
    assert summary["latency"]["input to command"]["p50_ms"] > 0
