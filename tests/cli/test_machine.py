"""What a file of figures tells of the machine that they were measured on."""

import json
from datetime import datetime
from importlib.metadata import version

from robossl.cli.machine import machine
from robossl.version import VERSION


def test_figures_can_be_told_from_another_machines_and_another_days() -> None:
    told = json.loads(json.dumps(machine()))
    assert {"processor", "cores", "system", "python", "gpu", "torch_threads"} <= told.keys()
    assert told["versions"].items() >= {"robossl": VERSION, "mujoco": version("mujoco")}.items()
    assert {"numpy", "torch"} <= told["versions"].keys()
    assert datetime.fromisoformat(told["date"]).tzinfo is not None
