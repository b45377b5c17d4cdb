"""`robossl envs docs`: docs/environments.md, written from the code so that it cannot drift.

Whatever is in the table of tasks is on the page: pictures are found by name (`assets/*/<Name>-<camera>.png`).
"""

import dataclasses
import re
from collections.abc import Iterable, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from robossl.core import ArraySpec, CommandSpec
from robossl.core.registry import TASKS, load
from robossl.core.specs import MODALITIES
from robossl.envs.sensors.suite import sensor_specs
from robossl.envs.task import TaskSpec

_HEAD = """# Environments

Written by `make docs` (`robossl envs docs`) from the code; a test fails when it is out of date.
`robossl envs show ID` draws all cameras of one in every modality. What sensors are, how they are made imperfect and
what random ranges do: [sensors and randomisation](sensors.md). The arm: [its tasks](arm.md). Physics and renderers:
[simulation](simulation.md).

All actions are in [-1, 1]; the task maps them to the commands listed. Every environment is a Gymnasium id after
`import robossl.envs`. Every camera gives {modalities}."""

_CUT = 12  # names of elements that are written out
Rows = Iterable[Sequence[str]]


def page() -> str:
    """Returns the page."""
    parts = [_HEAD.format(modalities=_listed(MODALITIES)), _overview()]
    parts += [_section(env_id) for env_id in TASKS]
    return "\n\n".join(parts) + "\n"


def _overview() -> str:
    specs = {env_id: load(TASKS, env_id, what="environment")().spec for env_id in TASKS}
    rows = [(f"[`{env_id}`](#{_anchor(env_id)})", spec.description) for env_id, spec in specs.items()]
    return _table(("environment", "task"), rows)


def _anchor(env_id: str) -> str:
    return re.sub(r"[^a-z0-9-]", "", env_id.lower())


def _section(env_id: str) -> str:
    kind = load(TASKS, env_id, what="environment")
    task = kind()
    spec: TaskSpec = task.spec
    model = task.build_model()
    timestep_s = float(model.opt.timestep)
    parts = [
        f"## {env_id}",
        spec.description,
        f"**Success**: {spec.success}.",
        _pictures(env_id, spec),
        f"{spec.control_hz:g} decisions a second, {spec.max_episode_steps} an episode; {spec.num_substeps} steps of "
        f"physics of {timestep_s:g} s in each. An agent sees {_listed(spec.default_observation)}, unless told.",
        _table(("action", "command", "unit", "range"), _commands(spec)),
        _table(("observation", "type", "elements", "unit"), _vectors(spec, model)),
        _table(("camera", "size", "on"), _cameras(spec)),
        _table(("truth, for probes and experts", "type", "elements"), _truth(spec)),
        _table(("reward term, in [-1, 1]", "weight", "of"), _reward(task)),
        f"Metrics of an episode: {_listed(('success', *spec.metrics))}.",
        _table(
            ("may be random", "what"), [(f"`{name}`", entry.described()) for name, entry in spec.randomisations.items()]
        ),
        _layout(spec),
        _levels(kind),
        _expert(task),
    ]
    return "\n\n".join(part for part in parts if part)


def _pictures(env_id: str, spec: TaskSpec) -> str:
    """Shows the pictures of the id's cameras; of the task that it varies, where it has none of its own."""
    name = env_id.rpartition("/")[2]
    for candidate in (name, name.replace("Goal", "")):
        found = [(camera.name, _picture(f"{candidate}-{camera.name}.png")) for camera in spec.cameras]
        shown = [(camera, path) for camera, path in found if path is not None]
        if shown:
            titles = [camera for camera, _ in shown]
            return _table(titles, [[f"![{camera}](../assets/{path})" for camera, path in shown]])
    return ""


def _picture(name: str) -> str | None:
    root = Path(str(files("robossl.assets")))
    return next((path.relative_to(root).as_posix() for path in sorted(root.glob(f"*/{name}"))), None)


def _commands(spec: TaskSpec) -> Rows:
    taken = {command.source for command in spec.commands}
    for command in spec.commands:
        source = "always" if command.source is None else f"`{_action_name(spec, command.source)}`"
        yield source, f"`{command.name}`{_moved(command)}", command.unit, f"{command.low:g} to {command.high:g}"
    for index in range(spec.action.shape[0]):
        if index not in taken:
            yield f"`{_action_name(spec, index)}`", "", "", ""


def _action_name(spec: TaskSpec, index: int) -> str:
    return spec.action.names[index] if spec.action.names else str(index)


def _moved(command: CommandSpec) -> str:
    if command.moves is None:
        return ""
    goal = command.moves
    return f", a step of the set-point `{goal.name}`, kept in {goal.low:g} to {goal.high:g}"


def _vectors(spec: TaskSpec, model: Any) -> Rows:
    for key, array in spec.vectors.items():
        yield f"`{key}`", _type(array), _elements(array), _units(array)
    for key, array in sensor_specs(model, spec.sensors, spec.num_substeps).items():
        sensor: Any = spec.sensors[key]
        told = {name: value for name, value in dataclasses.asdict(sensor).items() if not isinstance(value, tuple)}
        values = ", ".join(f"{name} {_plain(value)}" for name, value in told.items())
        what = f"{type(sensor).__name__}" + (f" ({values})" if values else "")
        yield f"`{key}`: {what}", _type(array), _elements(array), _units(array)


def _plain(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _cameras(spec: TaskSpec) -> Rows:
    for camera in spec.cameras:
        on = "" if camera.of is None else f"`{camera.of}`, {1000 * camera.shift_m:+g} mm to the right"
        viewer = "for people's videos" if camera.name == spec.viewer_camera else ""
        yield f"`{camera.name}`", f"{camera.width}x{camera.height}", on or viewer


def _truth(spec: TaskSpec) -> Rows:
    for key, array in spec.privileged.items():
        yield f"`{key}`", _type(array), _elements(array)


def _reward(task: Any) -> Rows:
    told: dict[str, str] = _attributes(type(getattr(task, "config", None))) | getattr(task, "reward_texts", {})
    for name, weight in task.spec.reward_weights.items():
        text = told.get(f"weight_{name}", told.get(f"{name}_weight", told.get(name, "")))
        yield f"`{name}`", f"{weight:g}", text.removeprefix("of ").removesuffix(".")


def _attributes(config: type) -> dict[str, str]:
    """Returns what a config's docstring says of its attributes."""
    text = (config.__doc__ or "").partition("Attributes:")[2]
    entries = re.findall(r"^ {8}(\S[^:\n]*): (.*(?:\n {10,}\S.*)*)", text, flags=re.MULTILINE)
    return {name.strip(): " ".join(line.split()) for names, line in entries for name in names.split(",")}


def _layout(spec: TaskSpec) -> str:
    fields = _listed(spec.random_fields)
    return f"Its own layout gives every episode other values of {fields}." if fields else ""


def _levels(kind: Any) -> str:
    levels = getattr(kind, "levels", {})
    if not levels:
        return "No levels of difficulty."
    values = {
        level: {f.name: getattr(config, f.name) for f in dataclasses.fields(config)} for level, config in levels.items()
    }
    names = next(iter(values.values()))
    rows = [
        (f"`{name}`", *(_plain(of[name]) for of in values.values()))
        for name in names
        if len({repr(of[name]) for of in values.values()}) > 1
    ]
    return _table(("`--env.difficulty`", *values), rows)


def _expert(task: Any) -> str:
    expert = task.expert()
    if expert is None:
        return "No scripted expert."
    doc = (type(expert).__doc__ or "").strip().splitlines()
    return f"Expert, `--policy expert`: `{type(expert).__name__}`. {doc[0] if doc else ''}".rstrip()


def _type(array: ArraySpec) -> str:
    return f"{array.dtype}{list(array.shape)}"


def _elements(array: ArraySpec) -> str:
    names = array.names if len(array.names) <= _CUT else (*array.names[:2], "...", array.names[-1])
    return ", ".join(names)


def _units(array: ArraySpec) -> str:
    return ", ".join(dict.fromkeys(array.units))


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _table(titles: Sequence[str], rows: Rows) -> str:
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(["| " + " | ".join(titles) + " |", "|" + "---|" * len(titles), *lines]) if lines else ""
