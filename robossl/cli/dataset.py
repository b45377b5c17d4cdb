"""`robossl dataset`: what is in a dataset, whether it is whole, and other pictures of its states."""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from robossl.cli import dataset_from_bag, dataset_render
from robossl.cli.arguments import parse, split_positional
from robossl.cli.figures import print_json, print_summary
from robossl.core import CorruptFileError, UnknownNameError, UsageError
from robossl.data import EpisodeStore

_OF_PHYSICS = ("engine", "states")


@dataclass(frozen=True, slots=True, kw_only=True)
class InfoCommand:
    """Describes a dataset.

    Attributes:
        verify: every byte is read and compared with its checksum, unless switched off.
        json: print one JSON object as the last line.
    """

    verify: bool = True
    json: bool = False


def run(arguments: list[str]) -> int:
    """Does what the first word says."""
    action, rest = split_positional(arguments)
    if action is None:
        return _info(rest or ["--help"])
    actions = {"info": _info, "render": dataset_render.run, "from-bag": dataset_from_bag.run}
    if action not in actions:
        raise UnknownNameError("action of dataset:", action, actions)
    return actions[action](rest)


def _info(arguments: list[str]) -> int:
    """Prints a dataset's contents; exits with 1 where something in it is damaged."""
    folder, rest = split_positional(arguments)
    command = parse(
        InfoCommand(),
        rest,
        usage="robossl dataset info FOLDER",
        description="Describes and verifies a dataset. `robossl dataset render FOLDER` draws other pictures of it, "
        "`robossl dataset from-bag` makes one from recordings.",
    )
    if folder is None:
        raise UsageError("give the dataset's folder")
    store = EpisodeStore(Path(folder))
    damages = store.verify() if command.verify else []
    for damage in damages:
        print(f"damaged: {damage}")
    summary, made = {**store.summary(), "damages": len(damages)}, _made(store.config)
    if _is_foreign(store):
        made = {name: value for name, value in made.items() if name not in _OF_PHYSICS}
    print_summary(summary, as_json=False)
    _print_made(made)
    if command.json:
        print_json({**summary, **made})
    return 1 if damages else 0


def _print_made(made: dict[str, Any]) -> None:
    """Prints how the data was made; ranges once, with what they change where that is told."""
    for name, entries in made.items():
        if name != "randomise" or "randomises" not in made:
            lines = [f"{key}: {value}" for key, value in entries.items()] if isinstance(entries, dict) else [entries]
            print("\n".join(f"{name:<22} {line}" for line in lines))


def _is_foreign(store: EpisodeStore) -> bool:
    """Tells whether episodes have no states: of environments that bring their own physics nothing is known of it."""
    for index in range(len(store)):
        with suppress(CorruptFileError):
            return not store[index].state.size
    return False


def _made(config: dict[str, Any]) -> dict[str, Any]:
    """Returns what the header tells of how the data was made: physics, level, imperfect sensors, what was random."""
    env = config.get("env", {})
    told = {name: env.get(name) for name in ("engine", "difficulty", "sensors", "randomise")}
    others = {
        name: config.get(name) for name in ("states", "task_sensors", "randomises", "appearances", "rendered_from")
    }
    return {name: value for name, value in (told | others).items() if value}
