"""`robossl bench`: what cannot be measured here costs nothing of what can."""

import io
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from robossl.bench import loop, simulation
from robossl.bench.setting import SimulationBench
from robossl.cli import bench, soak
from robossl.core import UsageError, UserError, idle_cores


def test_what_is_missing_for_one_part_does_not_lose_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def missing(profile: object) -> None:
        raise UserError("transport dds needs cyclonedds")

    monkeypatch.setattr(loop, "run", missing)
    monkeypatch.setattr(bench, "_simulation", lambda env: {"batch_vs_bare": 0.9})
    monkeypatch.setattr(bench, "_PARTS", {"engines": lambda: {"drop": 1.0}, "loop": bench._PARTS["loop"]})
    assert bench.run(["--out", str(tmp_path / "figures.json")]) == 0
    assert "loop                       transport dds needs cyclonedds" in capsys.readouterr().out
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert figures["engines"] == {"drop": 1.0}
    assert figures["loop"] == {"unavailable": "transport dds needs cyclonedds"}
    with pytest.raises(UserError, match="cyclonedds"):
        bench.run(["loop"])


def test_a_robots_loop_is_measured_with_idle_cores_as_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (device := tmp_path / "device").touch()
    monkeypatch.delenv(idle_cores.CHOICE, raising=False)
    monkeypatch.setattr(idle_cores, "DEVICE", device)
    monkeypatch.setattr(idle_cores, "answer_us", lambda: 50.0)
    monkeypatch.setattr(
        bench, "_PARTS", dict.fromkeys(("learn", "loop"), lambda: {"awake": idle_cores.are_kept_awake()})
    )
    monkeypatch.setattr(bench, "_simulation", lambda env: {})
    assert bench.run(["--out", str(tmp_path / "figures.json")]) == 0
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert figures["machine"]["idle_cores_kept_awake"]
    assert (figures["learn"], figures["loop"]) == ({"awake": True}, {"awake": False})


@pytest.mark.parametrize("words", [["--worlds", "5"], ["--device", "cpu"]])
def test_options_of_warp_are_refused_elsewhere(words: list[str]) -> None:
    with pytest.raises(UsageError, match="--worlds and --device are for --engine warp"):
        bench.run(["sim", *words])


def test_a_device_that_is_not_there_is_told_without_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("mujoco_warp")
    with pytest.raises(UserError, match="there is no device 'cuda:77' here"):
        bench.run(["sim", "--engine", "warp", "--device", "cuda:77"])
    assert not capsys.readouterr().out


@pytest.mark.parametrize("name", ["sim", "engines", "all", "soak"])
def test_a_file_that_cannot_be_written_is_told_before_anything_is_measured(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def measured(*_: object, **__: object) -> None:
        raise AssertionError("something was measured")

    monkeypatch.setattr(bench, "_simulation", measured)
    monkeypatch.setattr(bench, "_PARTS", dict.fromkeys(bench._PARTS, measured))
    monkeypatch.setattr(soak, "make", measured)
    with pytest.raises(UserError, match=r"cannot write .*/absent/x\.json: No such file or directory"):
        bench.run([name, "--out", str(tmp_path / "absent" / "x.json")])


@pytest.mark.parametrize("name", ["engines", "soak"])
def test_figures_are_written_where_the_named_link_leads(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench, "_PARTS", {"engines": lambda: {"drop": 1.0}})
    monkeypatch.setattr(soak, "make", lambda config: SimpleNamespace(close=list))
    monkeypatch.setattr(soak, "soak", lambda *_: {})
    monkeypatch.setattr(soak, "failures", lambda figures: [])
    (link := tmp_path / "link.json").symlink_to("figures.json")
    assert bench.run([name, "--out", str(link)]) == 0
    assert link.is_symlink()
    assert json.loads((tmp_path / "figures.json").read_text())["command"].startswith(f"robossl bench {name}")


def test_rows_name_their_units_and_a_bar_counts_what_is_passed_over(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    steps = {"steps_per_s": 52_803.4, "reference_steps_per_s": 70_585.2, "ratio": 0.748}
    scaling = {"speed_up": 1.69, "reference_speed_up": 1.93, "ratio": 0.871}

    def run(config: SimulationBench, report: Any) -> dict[str, Any]:
        report("batch_vs_bare", steps)
        report("gl_vs_bare", {"unavailable": "no OpenGL"})
        report("thread_scaling", scaling)
        return dict.fromkeys(simulation._MEASURES, steps)

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(simulation, "run", run)
    monkeypatch.setattr(simulation, "NUM_MEASURES", 3)
    monkeypatch.setattr("sys.stderr", terminal := Terminal())
    assert bench.run(["sim", "--env", "robossl/ArmPush-v0"]) == 0
    head, *rows = [line.split() for line in capsys.readouterr().out.splitlines() if not line.startswith("idle")]
    assert head == ["measure", "task", "robossl", "reference", "unit", "ratio"]
    assert rows[0] == ["batch_vs_bare", "robossl/ArmPush-v0", "5.28e+04", "7.059e+04", "steps/s", "0.75"]
    assert rows[1] == ["gl_vs_bare", "robossl/ArmPush-v0", "no", "OpenGL"]
    assert rows[2][2:] == ["1.69", "1.93", "times", "0.87"]
    assert "33/33" in terminal.getvalue()


def test_the_table_of_the_docs_has_every_task_measure_by_measure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    steps = {"steps_per_s": 52_803.4, "reference_steps_per_s": 70_585.2, "ratio": 0.748}
    scaling = {"speed_up": 1.69, "reference_speed_up": 1.93, "ratio": 0.871}
    drawn = {"raycast_frames_per_s": 3321.0, "gl_frames_per_s": 2000.0, "reference_frames_per_s": 32.0, "ratio": 102.35}
    missing = {"unavailable": "no OpenGL"}
    shared = {"batch_vs_async": {**steps, "bare_ratio": 1.5}, "thread_scaling": scaling}
    measured = {
        "robossl/RoomsPointGoal-v0": {
            "batch_vs_bare": {**steps, "untimed_ratio": 0.7},
            "render_vs_gymnasium": drawn,
            **shared,
        },
        "robossl/ArmLift-v0": {"batch_vs_bare": steps, "render_vs_gymnasium": missing, **shared},
    }
    monkeypatch.setattr(bench, "_simulation", lambda env: {"tasks": measured})
    assert bench.run(["sim", "--markdown"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "| measure | task | robossl | reference | | ratio |",
        "|---|---|---|---|---|---|",
        "| `batch_vs_bare` | RoomsPointGoal | 52,803 | 70,585 | steps/s | 0.75 (untimed: 0.70) |",
        "| `batch_vs_bare` | ArmLift | 52,803 | 70,585 | steps/s | 0.75 |",
        "| `render_vs_gymnasium` | RoomsPointGoal | 3,321 | 32 | frames/s | 102.35 |",
        "| `render_vs_gymnasium` | ArmLift | | | | no OpenGL |",
        "| `batch_vs_async` | RoomsPointGoal | 52,803 | 70,585 | steps/s | 0.75 (bare loop: 1.50) |",
        "| `batch_vs_async` | ArmLift | 52,803 | 70,585 | steps/s | 0.75 (bare loop: 1.50) |",
        "| `thread_scaling` | RoomsPointGoal | 1.69 | 1.93 | times | 0.87 |",
        "| `thread_scaling` | ArmLift | 1.69 | 1.93 | times | 0.87 |",
    ]
    with pytest.raises(UsageError, match="--markdown is for --engine mujoco"):
        bench.run(["sim", "--engine", "warp", "--markdown"])


@pytest.mark.parametrize(("name", "has_env"), [("engines", False), ("sim", True)])
def test_each_benchmark_explains_its_own_options(name: str, has_env: bool, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        bench.run([name, "--help"])
    assert stop.value.code == 0
    told = capsys.readouterr().out
    assert f"robossl bench {name}" in told
    assert ("--env" in told, "--out" in told) == (has_env, True)


@pytest.mark.parametrize("flag", ["--env", "--num-worlds", "--device=cpu", "--markdown"])
def test_options_of_sim_are_refused_by_name_elsewhere(flag: str) -> None:
    with pytest.raises(UsageError, match=f"{flag.partition('=')[0]} is for `sim` and `all`; `engines` takes none"):
        bench.run(["engines", flag, "1"])
