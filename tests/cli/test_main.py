"""A person's mistakes: one clear line, and an exit code that is not 0."""

import json
from pathlib import Path

import pytest

from robossl.cli.main import VERBS, main


def run(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    captured = capsys.readouterr()
    return int(stop.value.code or 0), captured.out, captured.err


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["trian"], 2, "unknown command 'trian'; did you mean 'train'?"),
        (["train"], 2, "what shall be trained?"),
        (["train", "quickstrat"], 2, "did you mean 'quickstart'?"),
        (
            ["train", "quickstart", "--agent.gama", "1"],
            2,
            "unknown argument '--agent.gama'; did you mean '--agent.gamma'?",
        ),
        (["train", "quickstart", "--agent.gamma", "x"], 2, "--agent.gamma"),
        (["train", "quickstart", "--agent.gamma", "7"], 1, "gamma"),
        (["train", "quickstart", "--env"], 2, "--env needs a value"),
        (["train", "--env", "robossl/RingCoridor-v0"], 2, "did you mean 'robossl/RingCorridor-v0'?"),
        (["train", "quickstart", "--env.renderer", "rays"], 2, "raycast"),
        (["train", "quickstart", "--env.observations", "rgb_frnt"], 2, "did you mean 'rgb_front'?"),
        (["train", "quickstart", "--device", "cuda:99"], 1, "cuda:99"),
        (["train", "--resume", "nowhere"], 1, "nowhere is not a run"),
        (["eval", "nowhere"], 1, "nowhere is not a run"),
        (["eval"], 2, "give a run"),
        (["record", "--policy", "expert"], 2, "give a run"),
        (["collect", "--env", "Pusher-v55"], 2, "did you mean 'Pusher-v5'?"),
        (["pretrain"], 2, "--data FOLDER is needed"),
        (["pretrain", "--data", "nowhere"], 1, "nowhere is not a dataset"),
        (["dataset", "inof", "x"], 2, "did you mean 'info'?"),
        (["envs", "shwo"], 2, "did you mean 'show'?"),
        (["bench", "smi"], 2, "did you mean 'sim'?"),
    ],
)
def test_a_mistake_is_one_line(
    arguments: list[str],
    code: int,
    message: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    found, _, errors = run(arguments, capsys)
    assert found == code
    assert message in errors
    assert errors.count("\n") == 1


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run([verb, "--help"], capsys)
    assert code == 0
    assert f"robossl {verb}" in out


def test_random_driver_is_evaluated_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    words = [
        "eval",
        "--env",
        "robossl/RingCorridor-v0",
        "--policy",
        "random",
        "--episodes",
        "3",
        "--seed",
        "7",
        "--json",
    ]
    code, out, _ = run(words, capsys)
    figures = json.loads(out.splitlines()[-1])
    assert code == 0
    assert figures["env"] == "robossl/RingCorridor-v0"
    assert figures["episodes"] == 3
    assert {"success_rate", "return_mean", "distance_mean", "collision_rate"} <= set(figures)


def test_cameras_are_drawn(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, out, _ = run(["envs", "show", "robossl/ArmPush-v0", "--out", str(tmp_path), "--json"], capsys)
    pictures = json.loads(out.splitlines()[-1])["pictures"]
    assert code == 0
    assert {"static", "wrist"} <= set(pictures)
    assert all(Path(path).read_bytes().startswith(b"\x89PNG") for path in pictures.values())
