"""A small contract and bundle for tests."""

from pathlib import Path
from typing import Any

from robossl.core.bundle import seal, write_contract
from robossl.core.contract import CameraInput, Contract, ElementSpec, Range, TrainedOn, VectorInput
from robossl.core.specs import CommandSpec, SetpointSpec

SEEN = Range(low=-1.0, q01=-0.5, q99=0.5, high=1.0)


def element(name: str, **changes: Any) -> ElementSpec:
    fields = {"name": name, "unit": "rad", "joint": name, "low": -2.9, "high": 2.9, "seen": SEEN}
    return ElementSpec(**{**fields, **changes})


def make_contract(**changes: Any) -> Contract:
    camera = CameraInput(
        name="rgb_front",
        shape=(2, 4, 6, 3),
        dtype="uint8",
        modality="rgb",
        sensor="front",
        encoding="rgb8",
        max_age_s=0.2,
        seen=(SEEN,) * 3,
    )
    vector = VectorInput(name="proprio", shape=(2,), max_age_s=0.2, elements=(element("joint1"), element("joint2")))
    moves = SetpointSpec(name="joint1_rad", low=-1.0, high=1.0, max_lead=0.1)
    limits = {"low": -0.5, "high": 0.5}
    commands = (
        CommandSpec(name="delta", unit="rad", source=0, scale=0.5, offset=0.0, moves=moves, **limits),
        CommandSpec(name="speed", unit="m/s", source=None, scale=0.0, offset=0.25, **limits),
    )
    trained_on = TrainedOn(env="test/Toy-v0", engine="none", render=None, agent="sac", run="runs/toy/1", step=64)
    fields = {
        "robossl": "0.1.0",
        "trained_on": trained_on,
        "policy": "policy.onnx",
        "opset": 18,
        "control_hz": 10.0,
        "inputs": (camera, vector),
        "actions": ("turn",),
        "commands": commands,
    }
    return Contract(**{**fields, **changes})


def write_bundle(folder: Path) -> Path:
    folder.mkdir()
    (folder / "policy.onnx").write_bytes(b"\x08\x08graph")
    write_contract(folder, make_contract())
    seal(folder)
    return folder
