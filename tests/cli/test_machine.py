"""What a file of figures tells of the machine that they were measured on."""

import json
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

import pytest

from robossl.cli import machine as machines
from robossl.cli.machine import machine, processor
from robossl.version import VERSION


def test_figures_can_be_told_from_another_machines_and_another_days() -> None:
    told = json.loads(json.dumps(machine()))
    assert {"processor", "cores", "system", "python", "gpu", "torch_threads"} <= told.keys()
    assert told["versions"].items() >= {"robossl": VERSION, "mujoco": version("mujoco")}.items()
    assert {"numpy", "torch"} <= told["versions"].keys()
    assert datetime.fromisoformat(told["date"]).tzinfo is not None


def test_a_processor_without_a_name_has_its_kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machines, "_CPUINFO", cpuinfo := tmp_path / "cpuinfo")
    monkeypatch.setattr("platform.processor", lambda: "aarch64")
    assert processor() == "aarch64"
    cpuinfo.write_text("processor : 0\nmodel name\t: A Fast One @ 3 GHz\n")
    assert processor() == "A Fast One @ 3 GHz"
