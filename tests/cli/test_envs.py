"""`robossl envs`: a task that cannot be made or drawn hides no other, and leaves nothing behind."""

import json
from pathlib import Path
from typing import Any

import pytest

from robossl.cli import envs
from robossl.core import UserError
from robossl.core.registry import TASKS

_ARM, _CAR = "robossl/ArmReach-v0", "robossl/RingCorridor-v0"


class Broken:
    """Has a model that is nowhere."""

    def __init__(self, config: Any = None) -> None:
        raise UserError("nope.xml: no such file")


@pytest.fixture
def few_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    few = {"my/Broken-v0": f"{__name__}:Broken", "my/Absent-v0": "nomod:Task", _CAR: TASKS[_CAR]}
    for name in list(TASKS):
        monkeypatch.delitem(TASKS, name)
    for name, place in few.items():
        monkeypatch.setitem(TASKS, name, place)


@pytest.mark.usefixtures("few_tasks")
def test_a_task_that_cannot_be_made_hides_no_other(capsys: pytest.CaptureFixture[str]) -> None:
    assert envs.run(["--json"]) == 1
    out = capsys.readouterr().out
    assert "my/Broken-v0\n  cannot be made: nope.xml: no such file\n" in out
    assert "my/Absent-v0\n  cannot be made: environment 'my/Absent-v0': there is no module 'nomod'\n" in out
    assert f"\n{_CAR}\n" in out
    told = json.loads(out.splitlines()[-1])
    assert (list(told["broken"]), list(told["environments"])) == (["my/Broken-v0", "my/Absent-v0"], [_CAR])


@pytest.mark.usefixtures("few_tasks")
def test_success_is_among_the_metrics(capsys: pytest.CaptureFixture[str]) -> None:
    envs.run([])
    assert "  metrics       success, distance, collision\n" in capsys.readouterr().out


def test_what_cannot_be_drawn_leaves_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise UserError("geom 'thing' has a texture")

    monkeypatch.setattr("robossl.envs.task_env.TaskEnv.render_frames", refuse)
    with pytest.raises(UserError, match="has a texture"):
        envs.run(["show", _ARM, "--out", str(tmp_path / "pictures")])
    assert list(tmp_path.iterdir()) == []


def test_another_renderer_draws_all_that_it_can(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def made(config: Any, *_: object) -> None:
        asked.append((config.renderer, {key.partition("_")[0] for key in config.observations}))
        raise UserError("enough")

    monkeypatch.setattr("robossl.cli.sheet.make_env", made)
    for renderer in ("raycast", "gl"):
        with pytest.raises(UserError, match="enough"):
            envs.draw_sheet(_ARM, ("static",), 0, renderer)  # type: ignore[arg-type]
    (_, all_of_them), (name, drawn) = asked
    assert (name, all_of_them - drawn) == ("gl", {"normals"})
