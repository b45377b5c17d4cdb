import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from deploy_robots import SAFETY, TYPES, arm_contract, arm_profile, base, base_contract, base_profile
from toy_bundle import write_toy_bundle

from robossl.core import Contract
from robossl.core.files import write_json
from robossl.core.strict_json import to_json
from robossl.deploy.encoder import CommandEncoder
from robossl.deploy.latency import delay_ms
from robossl.deploy.latency_echo import sensor_message, sent_s
from robossl.deploy.limits import NoObstacleSensing
from robossl.deploy.profile import RobotProfile, RosConfig
from robossl.deploy.topics import OdometryInput, PositionsOutput, ValuesInput

DOMAIN_ID = 10 + os.getpid() % 20
FIGURES = {"p50_ms", "p95_ms", "p99_ms"}
UNSTAMPED = replace(base_profile(), output=replace(base_profile().output, stamped=False))
POSITIONS = replace(arm_profile(), output=PositionsOutput(topic="/forward", robot_timeout_s=0.2))
VALUED = arm_profile(inputs=(*arm_profile().inputs, ValuesInput(topic="/values", max_age_s=1.0, names=("a", "b"))))


@pytest.mark.parametrize("profile", [arm_profile(), POSITIONS, base_profile(), UNSTAMPED])
def test_a_command_of_any_kind_carries_the_time(profile: RobotProfile) -> None:
    encoder = CommandEncoder(profile, TYPES, period_s=0.02)
    data = TYPES.to_bytes(encoder.encode(np.full(2, 12345.678), 12_345_678_000_000))
    assert sent_s(TYPES.from_bytes(data, encoder.type)) == pytest.approx(12345.678, abs=1e-9)


@pytest.mark.parametrize(
    ("profile", "contract"), [(VALUED, arm_contract()), (base_profile(), base_contract())], ids=["arm", "base"]
)
def test_a_sensors_message_carries_the_time_and_has_its_size(profile: RobotProfile, contract: Contract) -> None:
    for source in profile.inputs:
        if source.kind != "stop":
            message = sensor_message(TYPES, contract, profile, source)
            data = TYPES.to_bytes(message)
            assert sent_s(TYPES.from_bytes(data, message.__msgtype__)) > 0
            assert len(data) > 4 * 6 * 3 or source.kind != "camera"


def test_the_delay_is_the_sum_of_its_legs() -> None:
    legs = {"/a to bridge": {"p95_ms": 1.0}, "/b to bridge": {"p95_ms": 2.0}, "bridge to robot": {"p95_ms": 4.0}}
    assert delay_ms(legs) is None
    assert delay_ms({**legs, "input to command": {"p95_ms": 8.0}}) == 14.0


def test_every_leg_is_measured_with_an_echo_in_another_process(tmp_path: Path) -> None:
    bundle = write_toy_bundle(tmp_path / "bundle", control_hz=20.0)
    profile = base_profile(
        inputs=(OdometryInput(topic="/odom", max_age_s=5.0),),
        safety=replace(SAFETY, max_period_factor=100.0),
        limits=replace(base(), obstacle=NoObstacleSensing(because="a test on rollers")),
        ros=RosConfig(domain_id=DOMAIN_ID),
    )
    write_json(tmp_path / "profile.json", to_json(profile))
    robot = subprocess.Popen(
        [sys.executable, str(Path(__file__).parent / "dds_robot.py"), str(DOMAIN_ID), "1.0", "2.5"],
        stdout=subprocess.DEVNULL,
    )
    words = [str(bundle), "--profile", str(tmp_path / "profile.json"), "--record", str(tmp_path / "bags")]
    words = [sys.executable, "-m", "robossl.deploy", *words, "--latency-test", "3", "--json"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    robot.kill()
    robot.wait()
    assert done.returncode == 0, done.stdout + done.stderr
    summary = json.loads(done.stdout.splitlines()[-1])
    transport = {"/odom to bridge", "bridge to robot"}
    assert set(summary["latency"]) == transport | {"decide", "input to command", "policy alone"}
    assert all(set(figures) == FIGURES and figures["p50_ms"] > 0 for figures in summary["latency"].values())
    assert summary["delay_ms"] == pytest.approx(delay_ms(summary["latency"]))
    assert "from sensor to robot at most" in done.stdout
