"""`robossl envs docs`: docs/environments.md, written from the code so that it cannot drift.

Whatever is in the table of tasks is on the page: pictures are found by name (`assets/*/<Name>-<camera>.png`). Of a
variant, `<Name>Goal`, there is what differs from `<Name>`.
"""

import dataclasses
import re
from collections.abc import Iterable, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from robossl.cli import camera_words, range_words
from robossl.cli.array_words import elements
from robossl.cli.sensor_words import attributes, kinds, meaning, numbers, plain
from robossl.cli.sheet import OF_RAYCAST, of_renderer
from robossl.core import ArraySpec, CommandSpec
from robossl.core.registry import TASKS, load
from robossl.envs.sensors.suite import sensor_specs
from robossl.envs.task import TaskSpec

_HEAD = """# Environments

Written by `make docs` (`robossl envs docs`) from the code; a test fails when it is out of date.
`robossl envs show ID` draws all cameras of one in every modality. What sensors are, how they are made imperfect and
what random ranges do: [sensors and randomisation](sensors.md). The arm: [its tasks](arm.md). Physics and renderers:
[simulation](simulation.md).

All actions are in [-1, 1]; the tables tell what the task makes of them. Every environment is a Gymnasium id after
`import robossl.envs`. Every camera gives {modalities}, and with the
renderer `raycast` {of_raycast}. Depth is planar: metres along the camera's optical axis, not along the ray; 0 where
nothing is hit.

**Levels.** Numbers are those of `--env.difficulty medium`, the default. What the other levels have instead is in each
environment's table of levels: options of its configuration, then arrays and random ranges.

**Reading the tables.** `0-6 joint1..7_rad` is `joint1_rad` in column 0 to `joint7_rad` in column 6. Names end in their
units; with `_w` before the unit a quantity is in the world's frame, z up, and differences such as `tool_to_goal_x_m`
are along its axes. Without `_w`, `pose` and `obstacles` of the truth are in the world's frame, too; `x_m`, `y_m` and
the yaw of `odometry` are in that of the body as its episode began. The frames of `car` and `robot`, and of the sensors'
sites on them, have x ahead, y to the left, z up. The arm's `hand`, and its site `wrist`, have z along what it holds.
The arm's tasks keep it pointing down: its x is then the world's x, its y the world's -y. Where a camera moves with a
body, its place and directions are in that body's frame."""

_PHYSICS = (
    "{hz:g} decisions a second, {most}{decisions} an episode ({episode_s:g} s). {ends}A decision lasts "
    "{decision_ms:.4g} ms: "
    "{substeps} steps of physics of {step_ms:.4g} ms. By default an agent observes {default}; `--env.observations` "
    "chooses others."
)

Rows = Iterable[Sequence[str]]


def page() -> str:
    """Returns the page."""
    given = _HEAD.format(modalities=_listed(of_renderer("gl")), of_raycast=_listed(OF_RAYCAST))
    parts = [given, _overview(), _sensors()]
    parts += [_section(env_id) for env_id in TASKS]
    return "\n\n".join(parts) + "\n"


def _overview() -> str:
    rows = [(f"[`{env_id}`](#{_anchor(env_id)})", _task(env_id).spec.description) for env_id in TASKS]
    return _table(("environment", "task"), rows)


def _sensors() -> str:
    every = [sensor for env_id in TASKS for sensor in _task(env_id).spec.sensors.values()]
    return "## Sensors\n\n" + "\n".join(f"- `{kind.__name__}`. {meaning(kind)}" for kind in kinds(every))


def _anchor(env_id: str) -> str:
    return re.sub(r"[^a-z0-9-]", "", env_id.lower())


def _section(env_id: str) -> str:
    parts, varied = _parts(env_id), env_id.replace("Goal-", "-")
    if varied == env_id or varied not in TASKS:
        return "\n\n".join([f"## {env_id}", *parts])
    same = _parts(varied)
    rest = f"All else is as in [`{varied}`](#{_anchor(varied)})."
    return "\n\n".join([f"## {env_id}", *(part for part in parts if part not in same), rest])


def _parts(env_id: str) -> list[str]:
    task = _task(env_id)
    spec: TaskSpec = task.spec
    model = task.build_model()
    parts = [
        spec.description,
        f"**Success**: {spec.success}.",
        _pictures(env_id, spec),
        _physics(spec, float(model.opt.timestep)),
        _table(("action", "command", "is", "unit", "range"), _commands(spec)),
        _table(("observation", "type", "elements", "unit"), _arrays(spec.vectors)),
        _table(("sensor", "type", "elements", "unit"), _readings(spec, model)),
        _table(camera_words.TITLES, camera_words.rows(spec, model)),
        _table(("truth, for probes and experts", "is", "type", "elements", "unit"), _truth(spec)),
        _table(("reward term, in [-1, 1]", "weight", "of"), _reward(task)),
        _table(("metric of an episode", "is"), _metrics(spec)),
        _table(("may be random", "what", "numbers drawn for an episode"), _ranges(spec, model)),
        _layout(spec),
        _levels(type(task)),
        _expert(task),
    ]
    return [part for part in parts if part]


def _task(env_id: str) -> Any:
    return load(TASKS, env_id, what="environment")()


def _physics(spec: TaskSpec, timestep_s: float) -> str:
    return _PHYSICS.format(
        hz=spec.control_hz,
        most="at most " if spec.ends_early else "",
        decisions=spec.max_episode_steps,
        ends=f"It ends early {spec.ends_early}. " if spec.ends_early else "",
        episode_s=spec.max_episode_steps / spec.control_hz,
        decision_ms=1000 / spec.control_hz,
        substeps=spec.num_substeps,
        step_ms=1000 * timestep_s,
        default=_listed(spec.default_observation),
    )


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
        source = "none" if command.source is None else f"`{_action_name(spec, command.source)}`"
        told = [_made(command), spec.command_texts.get(command.name, ""), _moved(command)]
        limits = f"{command.low:g} to {command.high:g}"
        yield source, f"`{command.name}`", "; ".join(filter(None, told)), command.unit, limits
    for index in range(spec.action.shape[0]):
        if index not in taken:
            yield f"`{_action_name(spec, index)}`", "", "", "", ""


def _action_name(spec: TaskSpec, index: int) -> str:
    return spec.action.names[index] if spec.action.names else str(index)


def _made(command: CommandSpec) -> str:
    """Says how it follows from the action, and where that is cut off."""
    if command.source is None:
        return f"always {command.offset:g}"
    scaled = f"{command.scale:g} x action"
    reached = command.offset - abs(command.scale), command.offset + abs(command.scale)
    is_cut = reached[0] < command.low or reached[1] > command.high
    kept = f", kept in {command.low:g} to {command.high:g}" if is_cut else ""
    return (f"{command.offset:g} + {scaled}" if command.offset else scaled) + kept


def _moved(command: CommandSpec) -> str:
    if command.moves is None:
        return ""
    goal = command.moves
    return f"a step of the set-point `{goal.name}`, which is kept in {goal.low:g} to {goal.high:g}"


def _readings(spec: TaskSpec, model: Any) -> Rows:
    arrays = sensor_specs(model, spec.sensors, spec.num_substeps)
    for (key, *rest), sensor in zip(_arrays(arrays), spec.sensors.values(), strict=True):
        yield f"{key}: {numbers(sensor)}", *rest


def _arrays(arrays: dict[str, ArraySpec]) -> Rows:
    for key, array in arrays.items():
        yield f"`{key}`", _type(array), elements(array), ", ".join(dict.fromkeys(array.units))


def _type(array: ArraySpec) -> str:
    return f"{array.dtype}{list(array.shape)}"


def _truth(spec: TaskSpec) -> Rows:
    for (key, *rest), name in zip(_arrays(spec.privileged), spec.privileged, strict=True):
        yield key, spec.privileged_texts.get(name, ""), *rest


def _reward(task: Any) -> Rows:
    told: dict[str, str] = attributes(type(getattr(task, "config", None))) | getattr(task, "reward_texts", {})
    for name, weight in task.spec.reward_weights.items():
        text = told.get(f"weight_{name}", told.get(f"{name}_weight", told.get(name, "")))
        yield f"`{name}`", f"{weight:g}", text.removeprefix("of ").removesuffix(".")


def _metrics(spec: TaskSpec) -> Rows:
    yield "`success`", "1 or 0, as above"
    for name in spec.metrics:
        yield f"`{name}`", spec.metric_texts.get(name, "")


def _ranges(spec: TaskSpec, model: Any) -> Rows:
    for name, entry in spec.randomisations.items():
        yield f"`{name}`", range_words.effect(entry, model), range_words.numbers(entry, model)


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
    told = [
        {name: plain(value) for name, value in of.items()} | _told(kind(levels[level])) for level, of in values.items()
    ]
    rows = [(f"`{name}`", *(of[name] for of in told)) for name in told[0] if len({of[name] for of in told}) > 1]
    return _table(("`--env.difficulty`", *values), rows)


def _told(task: Any) -> dict[str, str]:
    """Returns what the tables of arrays and ranges say that may be another in other levels."""
    spec, model = task.spec, task.build_model()
    arrays = {**spec.vectors, **sensor_specs(model, spec.sensors, spec.num_substeps), **spec.privileged}
    ranges = {f"--randomise.{name}": range_words.effect(entry, model) for name, entry in spec.randomisations.items()}
    return {name: _type(array) for name, array in arrays.items()} | ranges


def _expert(task: Any) -> str:
    expert = task.expert()
    if expert is None:
        return "No scripted expert."
    doc = (type(expert).__doc__ or "").strip().splitlines()
    return f"Expert, `--policy expert`: `{type(expert).__name__}`. {doc[0] if doc else ''}".rstrip()


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _table(titles: Sequence[str], rows: Rows) -> str:
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(["| " + " | ".join(titles) + " |", "|" + "---|" * len(titles), *lines]) if lines else ""
