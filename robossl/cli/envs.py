"""`robossl envs`: what there is to train in, and what its cameras see."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from robossl.cli import envs_page, range_words
from robossl.cli.arguments import parse, split_positional
from robossl.cli.array_words import elements
from robossl.cli.compose import opened_env
from robossl.cli.figures import print_json
from robossl.cli.sheet import draw_appearances, draw_sheet, of_renderer
from robossl.core import BatchEnv, Stream, UnknownNameError, UsageError
from robossl.core.files import make_folder, write_atomic
from robossl.core.registry import TASKS
from robossl.core.specs import ArraySpec
from robossl.envs import EnvConfig, list_env_ids
from robossl.envs.config import RendererName
from robossl.envs.task_env import TaskEnv
from robossl.training.gif import encode_png

_SHOWN_PX = (384, 288)


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvsCommand:
    """Lists environments, or draws the cameras of one.

    Attributes:
        all: list the ids of other installed packages too.
        out: folder of the pictures.
        seed: of the world that is drawn.
        renderer: draws the pictures; `gl` also what `raycast` refuses.
        json: print one JSON object as the last line.
    """

    all: bool = False
    out: Path = Path("pictures")
    seed: int = 0
    renderer: RendererName = "raycast"
    json: bool = False


def run(arguments: list[str]) -> int:
    """Lists or shows."""
    action, rest = split_positional(arguments)
    env_id, rest = split_positional(rest)
    usage = "robossl envs [show ID | docs]"
    description = "Lists environments; `show ID` draws its cameras; `docs` prints docs/environments.md."
    command = parse(EnvsCommand(), rest, usage=usage, description=description)
    if action is None:
        return _list(command)
    if action == "docs":
        print(envs_page.page(), end="")
        return 0
    if action != "show":
        raise UnknownNameError("action of envs:", action, ["show", "docs"])
    if env_id is None:
        raise UsageError("give the id of the environment to show")
    return _show(env_id, command)


def _list(command: EnvsCommand) -> int:
    """Lists all; exits with 1 where a task cannot be made, which hides none of the others."""
    ids = list_env_ids() if command.all else list(TASKS)
    specs, broken = {}, {}
    for env_id in TASKS:
        try:
            with _opened(env_id, command) as env:
                specs[env_id] = env.spec
                _print_env(env)
        except Exception as error:  # also a mistake in a task of one's own: `envs show ID` shows where it is
            broken[env_id] = " ".join(str(error).split()) or type(error).__name__
            print(f"{env_id}\n  cannot be made: {broken[env_id]}")
    for env_id in ids:
        if env_id not in TASKS:
            print(env_id)
    if not command.all:
        print("Every other installed Gymnasium id works too; --all lists them.")
    if command.json:
        told = {"environments": {name: spec.to_json() for name, spec in specs.items()}, "ids": ids}
        print_json({**told, "broken": broken})
    return 1 if broken else 0


def _opened(env_id: str, command: EnvsCommand) -> AbstractContextManager[BatchEnv]:
    config = EnvConfig(id=env_id, num_worlds=1, renderer=command.renderer)
    return opened_env(config, command.seed, Stream.EVAL)


def _print_env(env: BatchEnv) -> None:
    spec = env.spec
    print(spec.id)
    print(f"  rate          {spec.control_hz:g} Hz, at most {spec.max_episode_steps} decisions an episode")
    print(f"  action        {', '.join(spec.action.names) or list(spec.action.shape)} in [-1, 1]")
    others = env.available if isinstance(env, TaskEnv) else {}
    for key, array in {**spec.observation, **others}.items():
        print(f"  {'observation' if key in spec.observation else 'also':<13} {key}: {_description(array)}")
    print(f"  cameras       {', '.join(spec.camera_names)}")
    if isinstance(env, TaskEnv):
        print(f"  of each       {', '.join(of_renderer(env.config.renderer))}")
        for name, entry in env.task.spec.randomisations.items():
            what, numbers = (told(entry, env.engine.model) for told in (range_words.effect, range_words.numbers))
            print(f"  randomise     {name}: {what}; drawn: {numbers}")
    print(f"  reward        {', '.join(spec.reward_terms)}")
    told = ("success", *spec.metrics) if isinstance(env, TaskEnv) else spec.metrics
    print(f"  metrics       {', '.join(told)}")


def _description(array: ArraySpec) -> str:
    """Describes an array by its type, shape and elements."""
    told = elements(array) or ", ".join(dict.fromkeys(array.units))
    return f"{array.dtype}{list(array.shape)} {told}".rstrip()


def _show(env_id: str, command: EnvsCommand) -> int:
    written = {}
    with _opened(env_id, command) as env:
        env.reset()
        _print_env(env)
        for camera in env.spec.camera_names or (None,):
            frame = env.render_frames(camera, width=_SHOWN_PX[0], height=_SHOWN_PX[1])
            make_folder(command.out)
            path = command.out / f"{env_id.rpartition('/')[2]}-{camera or 'view'}.png"
            write_atomic(path, encode_png(np.ascontiguousarray(frame)))
            written[camera or "view"] = str(path)
            print(f"  drawn         {path}")
        if isinstance(env, TaskEnv):
            path = command.out / f"{env_id.rpartition('/')[2]}-sheet.png"
            write_atomic(path, encode_png(draw_sheet(env_id, env.spec.camera_names, command.seed, command.renderer)))
            written["sheet"] = str(path)
            print(f"  drawn         {path}")
            if env.task.spec.randomisations:
                path = command.out / f"{env_id.rpartition('/')[2]}-appearances.png"
                write_atomic(path, encode_png(draw_appearances(env)))
                written["appearances"] = str(path)
                print(f"  drawn         {path}")
    if command.json:
        print_json({"env": env_id, "pictures": written})
    return 0
