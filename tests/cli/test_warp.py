"""`--engine warp` and `--renderer warp` on the command line."""

import json
import sys

import pytest

from robossl.cli.main import main


def run(capsys, *arguments):
    """Returns exit code, standard output and standard error."""
    with pytest.raises(SystemExit) as stop:
        main([str(argument) for argument in arguments])
    return stop.value.code or 0, *capsys.readouterr()


@pytest.mark.parametrize("choice", [("--engine", "warp"), ("--env.renderer", "warp")])
def test_without_the_package_one_line_says_how_to_get_it(capsys, monkeypatch, tmp_path, choice):
    for name in [name for name in sys.modules if name.startswith(("robossl.envs.warp", "robossl.envs.render.warp"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "mujoco_warp", None)  # as if it was not there
    command = ("collect", "--env.id", "robossl/RingCorridor-v0", "-n", 10, "-f", tmp_path, *choice)
    code, _, err = run(capsys, *command)
    assert code == 1
    assert err.strip() == (
        f"robossl: {choice[0].removeprefix('--').removeprefix('env.')} warp needs the package mujoco_warp,"
        " which is not installed: pip install 'robossl[warp]'"
    )


def test_a_gpu_that_is_not_there_is_one_line(capsys):
    pytest.importorskip("mujoco_warp")
    code, _, err = run(
        capsys, "bench", "sim", "--engine", "warp", "--device", "cuda:77", "--env", "robossl/ArmReach-v0"
    )
    assert code == 1
    assert err.startswith("robossl: engine warp: there is no device 'cuda:77' here; there is cpu")


@pytest.mark.slow
def test_bench_measures_every_number_of_worlds(capsys):
    pytest.importorskip("mujoco_warp")
    command = ("bench", "sim", "--engine", "warp", "--device", "cpu", "--env", "robossl/ArmReach-v0")
    code, out, _ = run(capsys, *command, "--worlds", 1, 3, "--json")
    assert code == 0
    rows = json.loads(out.splitlines()[-1])["tasks"]["robossl/ArmReach-v0"]["worlds"]
    assert list(rows) == ["1", "3"]
    for row in rows.values():
        assert set(row) == {"steps_per_s", "reference_steps_per_s", "ratio", "frames_per_s"}
        assert min(row.values()) > 0


@pytest.mark.slow
def test_eval_tells_the_difference_from_the_engine_at_home(capsys):
    pytest.importorskip("mujoco_warp")
    command = (
        "eval",
        "--env",
        "robossl/ArmPush-v0",
        "--policy",
        "expert",
        "--episodes",
        4,
        "--engine",
        "warp",
        "--json",
    )
    code, out, _ = run(capsys, *command)
    assert code == 0
    figures = json.loads(out.splitlines()[-1])
    low, high = figures["success_rate_difference_ci"]
    assert low <= figures["success_rate_difference"] <= high
    assert figures["return_mean"] == pytest.approx(figures["mujoco_return_mean"], rel=0.1)
    assert figures["return_mean"] != figures["mujoco_return_mean"]
