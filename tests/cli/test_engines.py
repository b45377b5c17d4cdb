"""`--engine`: another physics for what is there."""

import json

import pytest

from robossl.cli.main import main

pytest.importorskip("pybullet")


def test_eval_in_another_engine_tells_the_difference_from_its_own_on_the_same_worlds(capsys):
    command = ["eval", "--env", "robossl/ArmPush-v0", "--policy", "expert", "--episodes", "2", "--json"]
    figures = {}
    for engine in ("mujoco", "bullet"):
        with pytest.raises(SystemExit) as stop:
            main([*command, "--engine", engine])
        assert not stop.value.code
        figures[engine] = json.loads(capsys.readouterr().out.splitlines()[-1])
    there, here = figures["mujoco"], figures["bullet"]
    assert here["engine"] == "bullet"
    assert not any("difference" in key for key in there)
    for name in ("success_rate", "return_mean"):
        assert here[f"mujoco_{name}"] == there[name]
        assert here[f"{name}_difference"] == pytest.approx(here[name] - there[name])
        low, high = here[f"{name}_difference_ci"]
        assert low <= here[f"{name}_difference"] <= high
    assert here["return_mean"] != there["return_mean"]
    assert here["success_rate"] == 1.0


def test_an_unknown_engine_is_one_line(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["eval", "--env", "robossl/ArmPush-v0", "--policy", "expert", "--engine", "bulet"])
    assert stop.value.code == 2
    assert "bulet" in capsys.readouterr().err
