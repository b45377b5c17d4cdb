"""`robossl doctor`: what this machine offers, measured, and the line that improves it."""

import importlib.metadata
import json
import os
import platform
import time
from dataclasses import dataclass
from typing import Any

import torch

from robossl.cli.arguments import parse
from robossl.core import UserError
from robossl.envs import EnvConfig, WorldSeed, make_env

_PACKAGES = ("torch", "mujoco", "stable-baselines3", "gymnasium", "numpy", "tensorboard", "safetensors")


@dataclass(frozen=True, slots=True, kw_only=True)
class DoctorCommand:
    """Checks the machine.

    Attributes:
        seconds: how long each renderer is measured.
        json: print one JSON object as the last line.
    """

    seconds: float = 1.0
    json: bool = False


def run(arguments: list[str]) -> int:
    """Prints what was found and what to change."""
    command = parse(DoctorCommand(), arguments, usage="robossl doctor", description="Checks this machine.")
    report = {**_versions(), **machine(), "renderers": {n: _renderer(n, command.seconds) for n in ("raycast", "gl")}}
    for line in _lines(report):
        print(line)
    if command.json:
        print(json.dumps(report))
    return 0


def _versions() -> dict[str, Any]:
    return {"python": platform.python_version(), **{name: importlib.metadata.version(name) for name in _PACKAGES}}


def machine() -> dict[str, Any]:
    """Returns what figures of speed depend on."""
    capability = torch.backends.cpu.get_cpu_capability()
    return {
        "cores": os.cpu_count(),
        "torch_threads": torch.get_num_threads(),
        "cpu_capability": capability,
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
    }


def _renderer(name: str, seconds: float) -> dict[str, Any]:
    """Measures 64x64 colour frames per second, or says in one line why there are none."""
    config = EnvConfig(num_worlds=8, renderer=name, observations=("rgb_front",), image_size=(64, 64))  # type: ignore[arg-type]
    try:
        env = make_env(config, WorldSeed())
    except UserError as error:
        return {"works": False, "why": str(error)}
    try:
        env.reset()
        frames, start = 0, time.perf_counter()
        while time.perf_counter() - start < seconds:
            env.reset()
            frames += config.num_worlds
        return {"works": True, "frames_per_s": round(frames / env.perf["render"])}
    finally:
        env.close()


def _lines(report: dict[str, Any]) -> list[str]:
    lines = [f"{name:<20} {report[name]}" for name in ("python", *_PACKAGES)]
    lines.append(f"{'processor':<20} {report['cores']} cores, {report['cpu_capability']}")
    lines.append(f"{'GPU':<20} {report['gpu'] or 'none: networks run on the processor'}")
    working = {}
    for name, result in report["renderers"].items():
        if result["works"]:
            working[name] = result["frames_per_s"]
            lines.append(f"{'renderer ' + name:<20} {result['frames_per_s']} frames/s of 64x64 pixels")
        else:
            lines.append(f"{'renderer ' + name:<20} off: {result['why']}")
    best = max(working, key=lambda name: working[name])
    lines.append(f"{'recommended':<20} --env.renderer {best}" + (" (the presets' choice)" if best == "raycast" else ""))
    return lines
