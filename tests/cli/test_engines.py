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


@pytest.mark.parametrize(
    ("asked", "prefix", "differs_in", "compared"),
    [
        ({"engine": "bullet"}, "mujoco", "engine", ("mujoco", None, None)),
        ({"engine": "bullet", "delay_ms": 0.0}, "mujoco", "engine", ("mujoco", 0.0, None)),
        (
            {"engine": "bullet", "delay_ms": 40.0, "profile": "panda"},
            "mujoco",
            "engine",
            ("mujoco", 40.0, "panda"),
        ),
        ({"delay_ms": 40.0}, "undelayed", "delay", (None, 0.0, None)),
        ({"profile": "panda"}, "as_trained", "profile", (None, None, None)),
        ({"profile": "panda", "delay_ms": 40.0}, "as_trained", "delay and profile", (None, None, None)),
    ],
)
def test_figures_say_in_what_the_reference_differs(asked, prefix, differs_in, compared, monkeypatch):
    evaluated = []

    class Result:
        def summary(self):
            return {"success_rate": 1.0}

        def against(self, reference):
            return {}

    def evaluate_once(run_folder, command):
        evaluated.append(command.acting)
        return Result(), SimpleNamespace(home="mujoco", seed=0, delay_ms=command.acting.delay_ms)

    monkeypatch.setattr(evaluate, "_evaluated", evaluate_once)
    figures = evaluate._figures(None, evaluate.EvalCommand(acting=ActingConfig(**asked)))
    assert f"{prefix}_success_rate" in figures
    assert figures["differs_in"] == differs_in
    assert (evaluated[1].engine, evaluated[1].delay_ms, evaluated[1].profile) == compared


def test_the_bars_of_two_evaluations_differ():
    labels = [evaluate._label(ActingConfig(engine=engine)) for engine in ("bullet", "mujoco")]
    assert labels == ["eval bullet", "eval mujoco"]
    labels = [evaluate._label(ActingConfig(delay_ms=delay_ms, profile="panda")) for delay_ms in (40.0, 0.0, None)]
    assert labels == ["eval 40 ms late panda", "eval undelayed panda", "eval panda"]
    assert evaluate._label(ActingConfig()) == "eval"
