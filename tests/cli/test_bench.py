"""`robossl bench`: what cannot be measured here costs nothing of what can."""

import json
from pathlib import Path

import pytest

from robossl.bench import loop
from robossl.cli import bench
from robossl.core import UsageError, UserError


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


@pytest.mark.parametrize("words", [["--worlds", "5"], ["--device", "cpu"]])
def test_options_of_warp_are_refused_elsewhere(words: list[str]) -> None:
    with pytest.raises(UsageError, match="--worlds and --device are for --engine warp"):
        bench.run(["sim", *words])
