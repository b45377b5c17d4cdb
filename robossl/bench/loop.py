"""The bridge's loop: how long a control period takes at 50 Hz with a 64x64 camera, a simulated robot beside it.

The policy is untrained, which costs a loop what a trained one does; the arm creeps to wherever it says.
"""

import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from robossl.core import Contract, EnvSpec, Stream
from robossl.core.bundle import seal, write_contract
from robossl.core.contract import CameraInput, InputSpec, Range, TrainedOn, VectorInput
from robossl.core.frames import channels_first
from robossl.deploy.profile import RobotProfile
from robossl.envs import EnvConfig, WorldSeed, make_env
from robossl.export.graph import OPSET, PolicyGraph, to_onnx
from robossl.export.inputs import Seen, describe_inputs
from robossl.nets import EncoderConfig, MultimodalEncoder
from robossl.rehearsal.stage import Stage
from robossl.version import VERSION

ENV, KEYS = "robossl/ArmPush-v0", ("rgb_static", "proprio")
CONTROL_HZ, CAMERA_HZ = 50.0, 50.0
_ENCODER = EncoderConfig(channels=(16, 32), kernels=(8, 3), strides=(4, 2), image_features=64)
_MAX_AGE_S = 0.2
_ANYTHING = Range(low=-1e3, q01=-1e3, q99=1e3, high=1e3)


class _Actor(nn.Module):
    """The sizes of preset arm-push-pixels."""

    def __init__(self, observation: Mapping[str, Any], num_actions: int) -> None:
        super().__init__()
        self.encoder = MultimodalEncoder(observation, _ENCODER)
        sizes = (self.encoder.features_dim, 128, 128)
        layers = [part for i in range(2) for part in (nn.Linear(sizes[i], sizes[i + 1]), nn.ReLU())]
        self.head = nn.Sequential(*layers, nn.Linear(128, num_actions), nn.Tanh())

    def forward(self, obs: Mapping[str, Tensor]) -> Tensor:
        actions: Tensor = self.head(self.encoder(obs))
        return actions


def run(profile: RobotProfile, *, seconds: float = 20.0) -> dict[str, Any]:
    """Measures; returns {leg: {"p50_ms": ..., "p95_ms": ..., "p99_ms": ...}} and what the robot noticed.

    Args:
        profile: of the Panda.
        seconds: of motion.
    """
    with tempfile.TemporaryDirectory(prefix="robossl-loop-") as folder:
        bundle = _write_bundle(Path(folder) / "untrained")
        camera = ["--drivers.camera-hz", str(CAMERA_HZ)]
        with Stage(bundle, _slower(profile), robot_words=camera, bridge_words=["--speed", "0.1"]) as stage:
            stage.begin()
            stage.watch.listen(seconds)
            robot, bridge = stage.end()
    return {**bridge["latency"], "trips": bridge["trips"], "robot_lost_s": robot["lost_s"]}


def table(figures: Mapping[str, Any]) -> list[str]:
    """Returns what `run` found, a line per leg."""
    legs = {name: found for name, found in figures.items() if isinstance(found, dict)}
    lines = [
        f"{'loop':<26} {name:<26} " + "  ".join(f"{q[:-3]} {ms:.2f} ms" for q, ms in found.items())
        for name, found in legs.items()
    ]
    stopped = "; ".join(figures["trips"]) or "never"
    return [*lines, f"{'loop':<26} stopped by the guard: {stopped}; the robot lost {figures['robot_lost_s']:.2f} s"]


def _slower(profile: RobotProfile) -> RobotProfile:
    """Gives a busy machine time: what is measured is how long things take, not whether the guard stops."""
    inputs = tuple(replace(source, max_age_s=_MAX_AGE_S) if source.max_age_s else source for source in profile.inputs)
    return replace(profile, inputs=inputs, safety=replace(profile.safety, max_period_factor=10.0))


def _write_bundle(folder: Path) -> Path:
    env = make_env(EnvConfig(id=ENV, num_worlds=1, observations=KEYS), WorldSeed(stream=Stream.EVAL))
    try:
        obs, spec = env.reset(), env.spec
    finally:
        env.close()
    stacked = channels_first(obs, spec.observation)
    shapes = {key: (rows.shape[1:], str(rows.dtype)) for key, rows in stacked.items()}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        actor = _Actor(shapes, spec.action.shape[0])
    contract = _contract(spec, stacked)
    folder.mkdir()
    (folder / contract.policy).write_bytes(to_onnx(PolicyGraph(actor, contract.inputs, contract.commands)))
    write_contract(folder, contract)
    seal(folder)
    return folder


def _contract(spec: EnvSpec, obs: Mapping[str, Any]) -> Contract:
    seen = Seen(spec.observation, 1, np.random.default_rng(0))
    seen.add(dict(obs))
    return Contract(
        robossl=VERSION,
        trained_on=TrainedOn(env=ENV, engine="mujoco", render=spec.render, agent="sac", run="untrained", step=0),
        policy="policy.onnx",
        opset=OPSET,
        control_hz=CONTROL_HZ,
        inputs=tuple(_tolerant(part) for part in describe_inputs(spec, 1, seen)),
        actions=spec.action.names,
        commands=spec.commands,
    )


def _tolerant(spec: InputSpec) -> InputSpec:
    """Lets an input be anything."""
    if isinstance(spec, CameraInput):
        return replace(spec, max_age_s=_MAX_AGE_S, seen=(_ANYTHING,) * len(spec.seen))
    assert isinstance(spec, VectorInput)
    return replace(spec, max_age_s=_MAX_AGE_S, elements=tuple(replace(part, seen=_ANYTHING) for part in spec.elements))
