"""`--engine`: another physics for what is there."""

import json
from types import SimpleNamespace

import pytest

from robossl.cli import evaluate
from robossl.cli.acting import ActingConfig
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


def test_the_reference_differs_in_the_engine_alone_where_a_delay_is_taken_away(monkeypatch):
    asked = []

    class Result:
        def summary(self):
            return {"success_rate": 1.0}

        def against(self, reference):
            return {}

    def evaluated(run_folder, command):
        asked.append((command.acting.engine, command.acting.delay_ms))
        return Result(), SimpleNamespace(home="mujoco", seed=0)

    monkeypatch.setattr(evaluate, "_evaluated", evaluated)
    for delay_ms in (None, 0.0, 40.0):
        command = evaluate.EvalCommand(acting=ActingConfig(engine="bullet", delay_ms=delay_ms))
        assert "mujoco_success_rate" in evaluate._figures(None, command)
    assert asked[1::2] == [("mujoco", None), ("mujoco", 0.0), ("mujoco", 0.0)]
