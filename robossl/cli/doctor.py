"""`robossl doctor`: what this machine offers, measured, and the line that improves it."""

import importlib
import json
import math
import platform
import time
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from robossl.cli.arguments import parse
from robossl.cli.graphics_choice import told_of_choice
from robossl.cli.machine import machine, system
from robossl.core import UserError
from robossl.core.idle_cores import (
    CHOICE,
    DEVICE,
    SLOW_US,
    answer_us,
    awake_cores,
    is_told_not_to,
    may_be_kept_awake,
)
from robossl.core.packages import required

_PACKAGES = ("torch", "mujoco", "stable-baselines3", "gymnasium", "numpy", "numba", "tensorboard", "safetensors")
_RENDERERS = ("raycast", "gl")
_PRESETS_CHOICE = "raycast"
_MOMENTS = 20  # cores that are kept awake answer fast after a twentieth of a second


@dataclass(frozen=True, slots=True, kw_only=True)
class DoctorCommand:
    """Checks the machine.

    Attributes:
        seconds: how long each renderer is measured.
        json: print one JSON object as the last line.
    """

    seconds: float = 1.0
    json: bool = False

    def __post_init__(self) -> None:
        """Checks the number."""
        if not 0 < self.seconds < math.inf:
            raise UserError(f"seconds must be positive and finite, got {self.seconds}")


def run(arguments: list[str]) -> int:
    """Prints what was found and what to change; exits with 1 where robossl cannot work like this."""
    command = parse(
        DoctorCommand(),
        arguments,
        usage="robossl doctor",
        description="Checks packages, processor, GPU and cameras, and says what to change.",
    )
    report: dict[str, Any] = {"python": platform.python_version(), **{name: _version(name) for name in _PACKAGES}}
    for name in ("python", *_PACKAGES):
        _tell(name, report[name] or f"not installed: pip install {name}")
    report["extras"] = _extras()
    for extra, is_installed in report["extras"].items():
        _tell(f"extra {extra}", "installed" if is_installed else f"not installed: pip install 'robossl[{extra}]'")
    report |= _machine_if_known()
    told = f"{report['processor']}, {report['cores']} cores, {report['cpu_capability'] or 'unknown without torch'}"
    _tell("processor", told)
    report["idle_cores"] = _idle_cores()
    _tell("idle cores", _answers(report["idle_cores"]))
    _tell("GPU", report["gpu"] or "none: networks run on the processor")
    warp = report["warp"] = _warp()
    _tell("engine warp", _where(warp) if warp["works"] else f"off: {warp['why']}")
    renderers = report["renderers"] = {name: _told_renderer(name, command.seconds) for name in _RENDERERS}
    _tell("recommended", _recommendation(renderers))
    if command.json:
        print(json.dumps(report))
    is_complete = all(report[name] for name in _PACKAGES)
    return 0 if is_complete and any(result["works"] for result in renderers.values()) else 1


def _tell(name: str, text: str) -> None:
    """Prints a line at once: what follows takes seconds to find out."""
    print(f"{name:<20} {text}", flush=True)


def _version(package: str) -> str | None:
    """Returns a package's version; None where it, or what its metadata were left behind of, is not there."""
    module = package.replace("-", "_")
    try:
        found = version(package)
        importlib.import_module(module)
    except PackageNotFoundError:
        return None
    except ImportError as error:
        return None if error.name == module else found
    return found


def _extras() -> dict[str, bool]:
    """Tells which extras are installed."""
    return {extra: all(map(_is_there, packages)) for extra, packages in required().items() if extra not in ("", "dev")}


def _is_there(package: str) -> bool:
    try:
        return bool(version(package))
    except PackageNotFoundError:
        return False


def _machine_if_known() -> dict[str, Any]:
    try:
        return machine()
    except ImportError:
        return {**system(), "torch_threads": None, "cpu_capability": None, "gpu": None}


def _idle_cores() -> dict[str, Any]:
    """Measures how long an idle core takes to answer, and again while they are kept awake, where they are at work."""
    found: dict[str, Any] = {"answer_us": answer_us(), "awake_answer_us": None}
    with awake_cores() as is_kept_awake:
        if is_kept_awake:
            found["awake_answer_us"] = min(answer_us() or 0.0 for _ in range(_MOMENTS))
    return {name: us and round(us, 1) for name, us in found.items()}


def _warp() -> dict[str, Any]:
    """Says where engine and renderer `warp` would run, or in one line why they cannot."""
    try:
        from robossl.envs.engines import require_installed

        require_installed("warp")
        from robossl.envs.warp.library import device_named, device_names
    except Exception as error:
        return {"works": False, "why": _why(error)}
    device = device_named(None)
    return {"works": True, "device": device.alias, "name": device.name, "devices": device_names()}


def _told_renderer(name: str, seconds: float) -> dict[str, Any]:
    result = _renderer(name, seconds)
    measured = f"{result['frames_per_s']} frames/s of 64x64 pixels" if result["works"] else f"off: {result['why']}"
    _tell(f"renderer {name}", measured)
    return result


def _renderer(name: str, seconds: float) -> dict[str, Any]:
    """Measures 64x64 colour frames per second, or says in one line why there are none."""
    try:
        return {"works": True, "frames_per_s": _frames_per_s(name, seconds)}
    except Exception as error:
        return {"works": False, "why": _why(error)}


def _why(error: Exception) -> str:
    """Returns one line about what is absent or does not start; anything else is a bug, and raised again."""
    choice = told_of_choice(error)
    if choice is None and not isinstance(error, UserError | ImportError | OSError | RuntimeError):
        raise error
    return choice or " ".join(str(error).split())


def _frames_per_s(name: str, seconds: float) -> int:
    from robossl.envs import EnvConfig, WorldSeed, make_env
    from robossl.envs.render.gl_context import open_context

    config = EnvConfig(num_worlds=8, renderer=name, observations=("rgb_front",), image_size=(64, 64))  # type: ignore[arg-type]
    if name == "gl":
        open_context(8, 8).free()  # says why it does not start, where `make_env` would take another renderer
    env = make_env(config, WorldSeed())
    try:
        env.reset()  # compiles what no process has compiled before
        frames, start, before_s = 0, time.perf_counter(), env.perf["render"]
        while frames == 0 or time.perf_counter() - start < seconds:
            env.reset()
            frames += config.num_worlds
        return round(frames / (env.perf["render"] - before_s))
    finally:
        env.close()


def _answers(idle: dict[str, Any]) -> str:
    if idle["answer_us"] is None:
        return "none: there is no other core, or no other thread"
    told = f"answer in {idle['answer_us']} us"
    if idle["awake_answer_us"] is not None:
        return f"{told}; at work robossl keeps them awake: {idle['awake_answer_us']} us"
    if idle["answer_us"] <= SLOW_US or not DEVICE.exists():
        return told
    if not may_be_kept_awake():
        return f"{told}, which is slow: `sudo chmod o+w {DEVICE}` lets robossl keep them awake at work"
    return (
        f"{told}, which is slow: without {CHOICE}=sleep robossl keeps them awake at work" if is_told_not_to() else told
    )


def _where(warp: dict[str, Any]) -> str:
    if warp["device"] == "cpu":
        return "on the processor, far slower than engine mujoco there: it is made for a GPU"
    return f"on {warp['device']}, {warp['name']}, with --env.renderer warp"


def _recommendation(renderers: dict[str, dict[str, Any]]) -> str:
    working = [name for name, result in renderers.items() if result["works"]]
    if not working:
        choices: list[str] = [result["why"] for result in renderers.values() if "MUJOCO_GL=" in result["why"]]
        if choices:
            return choices[0]
        return "no renderer works: only observations without pictures can be used (--env.observations proprio)"
    best = max(working, key=lambda name: renderers[name]["frames_per_s"])
    return f"--env.renderer {best}" + (" (the presets' choice)" if best == _PRESETS_CHOICE else "")
