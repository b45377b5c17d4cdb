"""Joints led as a profile's robot leads them, and late commands: in presets and in `eval`."""

import json

import pytest

from robossl.cli.main import main
from robossl.cli.presets import load_preset
from robossl.cli.profiles import load_profile, profile_motion
from robossl.cli.settings import TrainSettings


def test_the_preset_for_the_robot_has_its_profiles_numbers():
    settings = load_preset("train", "arm-push-robot", TrainSettings)
    assert settings.env.motion == profile_motion(load_profile("panda"))


def run(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    captured = capsys.readouterr()
    return int(stop.value.code or 0), captured.out, captured.err


def test_eval_tells_what_a_profiles_joints_cost(capsys):
    command = ["eval", "--env", "robossl/ArmReach-v0", "--policy", "expert", "--episodes", "4"]
    code, out, err = run([*command, "--profile", "panda", "--json"], capsys)
    assert code == 0, err
    figures = json.loads(out.splitlines()[-1])
    assert figures["profile"] == "panda"
    assert figures["as_trained_success_rate"] == 1.0
    assert figures["return_mean_difference"] < 0  # it gets there later


def test_eval_tells_the_delay_that_acted(capsys):
    command = ["eval", "--env", "robossl/ArmPush-v0", "--policy", "expert", "--episodes", "1", "--json"]
    code, out, err = run([*command, "--delay-ms", "10"], capsys)  # physics steps are of 8 ms
    assert code == 0, err
    assert json.loads(out.splitlines()[-1])["delay_ms"] == 8.0


@pytest.mark.parametrize(
    ("env_id", "profile", "message"),
    [
        ("robossl/ArmReach-v0", "pandas", "pandas"),
        ("robossl/ArmReach-v0", "ur5e", "profile ur5e does not fit robossl/ArmReach-v0: "),
        ("robossl/ArmReach-v0", "ring_car", "has no joints"),
        ("robossl/RingCorridor-v0", "panda", "profile panda does not fit robossl/RingCorridor-v0: "),
    ],
)
def test_a_profile_that_does_not_fit_is_one_line(env_id, profile, message, capsys):
    code, _, err = run(["eval", "--env", env_id, "--policy", "expert", "--profile", profile], capsys)
    assert code != 0
    assert len(err.strip().splitlines()) == 1
    assert message in err
