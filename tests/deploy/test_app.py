import io
import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import pytest
from deploy_robots import SAFETY, TYPES, base, base_profile, odometry
from toy_bundle import write_toy_bundle

from robossl.core import Bundle, UserError
from robossl.core.bundle import seal
from robossl.core.files import write_json
from robossl.core.strict_json import to_json
from robossl.deploy import app
from robossl.deploy.__main__ import INTERRUPT_EXIT, main
from robossl.deploy.app import FAULT_EXIT, BridgeOptions
from robossl.deploy.limits import NoObstacleSensing
from robossl.deploy.policy import OnnxPolicy
from robossl.deploy.profile import RosConfig
from robossl.deploy.topics import OdometryInput
from robossl.deploy.transports import Topic
from robossl.deploy.transports.loopback import LoopbackNetwork, LoopbackTransport

PROFILE = base_profile(
    inputs=(OdometryInput(topic="/odom", max_age_s=5.0),),
    limits=replace(base(), obstacle=NoObstacleSensing(because="a test on rollers")),
    safety=replace(SAFETY, max_period_factor=100.0),
)


class Robot(LoopbackTransport):
    """A base that says its speed 50 times a second, zero until it is told anything, and keeps what it is told."""

    def __init__(self, network: LoopbackNetwork) -> None:
        super().__init__(network)
        self.told: list[bytes] = []
        self.advertise(Topic(name="/odom", type="nav_msgs/msg/Odometry"))
        self.subscribe(Topic(name="/cmd_vel", type="geometry_msgs/msg/TwistStamped"), self.told.append)
        self.done = threading.Event()
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def end(self) -> list[float]:
        """Ends it, and returns the speeds that it was told, m/s."""
        self.done.set()
        self.thread.join()
        self.spin_once(0.0)
        return [TYPES.from_bytes(data, "geometry_msgs/msg/TwistStamped").twist.linear.x for data in self.told]

    def _run(self) -> None:
        while not self.done.wait(0.02):
            self.publish(
                "/odom", TYPES.to_bytes(odometry(time.monotonic_ns(), *((0.1, 0.2) if self.told else (0.0, 0.0))))
            )
            self.spin_once(0.0)


@pytest.fixture
def robot(monkeypatch: pytest.MonkeyPatch) -> Iterator[Robot]:
    """A robot that whatever transport the app opens reaches."""
    network = LoopbackNetwork()
    monkeypatch.setattr(app, "open_transport", lambda ros, types: LoopbackTransport(network))
    found = Robot(network)
    yield found
    found.end()


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    folder = write_toy_bundle(tmp_path / "bundle", control_hz=20.0)
    write_json(folder / "profile.json", to_json(PROFILE))
    seal(folder)
    return Bundle(folder)


def run(bundle: Bundle, tmp_path: Path, typed: str | TextIO = "", **options: Any) -> tuple[int, list[str]]:
    out = io.StringIO()
    wanted = BridgeOptions(profile=PROFILE.name, **{"record": tmp_path / "bags", "json": True, **options})
    keyboard = io.StringIO(typed) if isinstance(typed, str) else typed
    code = app.run(bundle, PROFILE, wanted, out=out, typed=keyboard)
    return code, out.getvalue().splitlines()


@pytest.fixture
def keyboard() -> Iterator[tuple[TextIO, TextIO]]:
    """What the bridge reads, and what an operator types into it."""
    read, written = os.pipe()
    with open(read) as typed, open(written, "w", buffering=1) as keys:
        yield typed, keys


def test_a_dry_run_decides_and_tells_nobody(bundle: Bundle, tmp_path: Path, robot: Robot) -> None:
    code, lines = run(bundle, tmp_path, seconds=0.5)
    summary = json.loads(lines[-1])
    assert (code, summary["state"], summary["trips"]) == (0, "hold", [])
    assert not robot.told
    assert {"decide", "input to command"} <= set(summary["latency"])
    assert [line.split()[2] for line in lines if line[:8].strip()[:1].isdigit()][-2:] == ["ready", "run"]


def test_what_goes_on_can_be_read_at_once_through_a_pipe(bundle: Bundle, robot: Robot) -> None:
    pipe = io.BytesIO()
    options = BridgeOptions(profile=PROFILE.name, record=None, seconds=0.3)
    out = io.TextIOWrapper(pipe, write_through=False)
    assert app.run(bundle, PROFILE, options, out=out, typed=io.StringIO()) == 0
    assert b"s  run" in pipe.getvalue()  # without anything that empties the buffer at the end


def test_live_drives_and_ends_with_zero(bundle: Bundle, tmp_path: Path, robot: Robot) -> None:
    code, lines = run(bundle, tmp_path, typed=f"{PROFILE.name}\n", live=True, arm=True, speed=1.0, seconds=0.7)
    assert code == 0, lines
    told = robot.end()
    assert max(told) > 0
    assert told[-1] == 0


def test_a_recording_is_decided_again_the_same(bundle: Bundle, tmp_path: Path, robot: Robot) -> None:
    recording = Path(json.loads(run(bundle, tmp_path, seconds=0.4)[1][-1])["recording"])
    code, lines = run(bundle, tmp_path, replay=recording)
    found = json.loads(lines[-1])
    assert (code, found["different"]) == (0, 0)
    assert found["periods"] >= 5


def test_an_emergency_ends_the_run_with_its_own_code(
    bundle: Bundle, tmp_path: Path, robot: Robot, monkeypatch: pytest.MonkeyPatch
) -> None:
    nothing = np.full(2, np.nan)
    monkeypatch.setattr(OnnxPolicy, "command", lambda self, inputs: nothing)
    code, lines = run(bundle, tmp_path, seconds=5.0)
    assert code == FAULT_EXIT
    assert json.loads(lines[-1])["trips"] == ["non_finite_action: element 0, 1"]
    assert not robot.told


def test_a_wrong_name_does_not_go_live(bundle: Bundle, tmp_path: Path, robot: Robot) -> None:
    with pytest.raises(UserError, match="not live: 'smal_base' is not the name of the profile, 'small_base'"):
        run(bundle, tmp_path, typed="smal_base\n", live=True)
    with pytest.raises(UserError, match="not live: ''"):
        run(bundle, tmp_path, live=True)
    assert not robot.told
    assert not (tmp_path / "bags").exists()


def test_a_mode_does_not_go_live(
    bundle: Bundle, tmp_path: Path, robot: Robot, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [str(bundle.folder), "--profile", PROFILE.name, "--record", str(tmp_path / "bags"), "--seconds", "0.5"]
    for mode in ("live", "banana"):
        assert main([*words, "--mode", mode]) == 1
        assert f"mode must be dry-run or shadow, got '{mode}'" in capsys.readouterr().err
    assert not robot.told
    assert not (tmp_path / "bags").exists()


def test_operators_type_what_they_want(
    bundle: Bundle, tmp_path: Path, robot: Robot, keyboard: tuple[TextIO, TextIO]
) -> None:
    typed, keys = keyboard
    keys.write(f"{PROFILE.name}\nfly\n")
    code, lines = run(bundle, tmp_path, typed=typed, live=True, seconds=0.5)
    assert code == 0
    assert any("type arm, hold, reset or quit, not 'fly'" in line for line in lines)
    assert any(line.endswith("ready (type: arm)") for line in lines)
    assert not robot.told


def test_an_operator_who_is_gone_ends_a_live_run_with_a_stop(
    bundle: Bundle, tmp_path: Path, robot: Robot, keyboard: tuple[TextIO, TextIO]
) -> None:
    typed, keys = keyboard

    def operate() -> None:
        keys.write(f"{PROFILE.name}\n")
        while not robot.told:
            time.sleep(0.02)
            keys.write("arm\n")
        keys.close()

    threading.Thread(target=operate, daemon=True).start()
    code, lines = run(bundle, tmp_path, typed=typed, live=True, speed=1.0, seconds=20.0)
    assert (code, json.loads(lines[-1])["state"]) == (0, "hold")


def test_a_robot_does_not_move_on_where_nobody_reads_what_the_bridge_tells(bundle: Bundle, robot: Robot) -> None:
    read, written = os.pipe()

    def go_away() -> None:
        while not robot.told:
            time.sleep(0.02)
        os.close(read)

    threading.Thread(target=go_away, daemon=True).start()
    options = BridgeOptions(
        profile=PROFILE.name, record=None, live=True, confirm=PROFILE.name, arm=True, speed=1.0, seconds=20.0
    )
    with open(written, "w") as out, pytest.raises(UserError, match="nobody reads any more what the bridge tells"):
        app.run(bundle, PROFILE, options, out=out, typed=io.StringIO())
    told = robot.end()
    assert max(told) > 0
    assert told[-1] == 0


def test_a_simulated_robot_is_looked_for_on_this_machine_alone(
    bundle: Bundle, tmp_path: Path, robot: Robot, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[RosConfig] = []
    reach = app.open_transport
    monkeypatch.setattr(app, "open_transport", lambda ros, types: opened.append(ros) or reach(ros, types))
    run(bundle, tmp_path, seconds=0.1, network="simulated")
    run(bundle, tmp_path, seconds=0.1)
    assert opened == [PROFILE.ros.simulated(), PROFILE.ros]
    with pytest.raises(UserError, match="network must be profile or simulated, got 'real'"):
        BridgeOptions(profile="x", network="real")  # type: ignore[arg-type]


def test_ctrl_c_while_the_name_is_asked_for_is_one_line(
    bundle: Bundle, robot: Robot, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Terminal(io.StringIO):
        def readline(self, *_: object) -> str:
            raise KeyboardInterrupt

    monkeypatch.setattr("sys.stdin", Terminal())
    assert main([str(bundle.folder), "--profile", PROFILE.name, "--live"]) == INTERRUPT_EXIT
    assert capsys.readouterr().err == "robossl: interrupted\n"
    assert not robot.told


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_a_live_run_with_a_stop(
    bundle: Bundle, tmp_path: Path, robot: Robot, number: signal.Signals
) -> None:
    def fail(*_: object) -> None:
        raise AssertionError("the signal was not taken care of")

    before = signal.signal(number, fail)
    timer = threading.Timer(0.6, os.kill, (os.getpid(), number))
    timer.start()
    code, lines = run(bundle, tmp_path, typed=f"{PROFILE.name}\n", live=True, arm=True, speed=1.0, seconds=20.0)
    timer.join()
    signal.signal(number, before)
    assert (code, json.loads(lines[-1])["state"]) == (0, "hold")


@pytest.mark.parametrize(
    "options", [{"live": True, "mode": "shadow"}, {"live": True, "latency_test": 1.0}, {"speed": 0.0}, {"speed": 1.5}]
)
def test_options_that_contradict_each_other_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(UserError):
        BridgeOptions(profile="x", **options)


def test_the_robots_command_line_finds_the_profile_in_the_bundle(
    bundle: Bundle, tmp_path: Path, robot: Robot, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [str(bundle.folder), "--profile", PROFILE.name, "--latency-test", "0.3", "--record", str(tmp_path / "bags")]
    assert main(words) == 0
    assert "input to command" in capsys.readouterr().out
    assert main([str(bundle.folder), "--profile", "big_base"]) == 1
    assert "unknown profile of the bundle: 'big_base'; did you mean 'small_base'?" in capsys.readouterr().err
    assert main([str(tmp_path), "--profile", PROFILE.name]) == 1
    assert capsys.readouterr().err.count("\n") == 1
