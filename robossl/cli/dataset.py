"""`robossl dataset`: what is in a dataset, and whether it is whole."""

from dataclasses import dataclass
from pathlib import Path

from robossl.cli import dataset_from_bag
from robossl.cli.arguments import parse, split_positional
from robossl.cli.figures import print_summary
from robossl.core import UnknownNameError, UsageError
from robossl.data import EpisodeStore


@dataclass(frozen=True, slots=True, kw_only=True)
class InfoCommand:
    """Describes a dataset.

    Attributes:
        verify: read every byte and compare it with its checksum.
        json: print one JSON object as the last line.
    """

    verify: bool = True
    json: bool = False


def run(arguments: list[str]) -> int:
    """Does what the first word says."""
    action, rest = split_positional(arguments)
    if action is None:
        return _info(rest or ["--help"])
    actions = {"info": _info, "from-bag": dataset_from_bag.run}
    if action not in actions:
        raise UnknownNameError("action of dataset:", action, actions)
    return actions[action](rest)


def _info(arguments: list[str]) -> int:
    """Prints a dataset's contents; exits with 1 where something in it is damaged."""
    folder, rest = split_positional(arguments)
    command = parse(InfoCommand(), rest, usage="robossl dataset info FOLDER", description="Describes a dataset.")
    if folder is None:
        raise UsageError("give the dataset's folder")
    store = EpisodeStore(Path(folder))
    damages = store.verify() if command.verify else []
    for damage in damages:
        print(f"damaged: {damage}")
    print_summary({**store.summary(), "damages": len(damages)}, as_json=command.json)
    return 1 if damages else 0
