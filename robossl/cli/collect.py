"""`robossl collect`: trial-and-error data."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from robossl.cli.arguments import FLAT, parse
from robossl.cli.artifacts import collect_into
from robossl.cli.choice import choose, listed, run_name
from robossl.cli.figures import print_summary
from robossl.cli.settings import CollectSettings
from robossl.core import UsageError
from robossl.data import EpisodeStore
from robossl.data.episode_index import read_dataset

_SHORTHANDS = {
    "-n": "--collect.steps",
    "--n-timesteps": "--collect.steps",
    "-f": "--log-folder",
    "--engine": "--env.engine",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectCommand:
    """Collects episodes.

    Attributes:
        config: what to collect.
        out: the dataset's folder, new or to be added to; <log folder>/data/<name> where None.
        json: print one JSON object as the last line.
    """

    config: Annotated[CollectSettings, FLAT] = field(default_factory=CollectSettings)
    out: Path | None = None
    json: bool = False


def run(arguments: list[str]) -> int:
    """Collects, and prints what the dataset then holds."""
    choice = choose("collect", arguments, CollectSettings)
    command = parse(
        CollectCommand(config=choice.settings),
        choice.rest,
        usage="robossl collect [PRESET] [--env ID]",
        description="Gathers trial-and-error data: episodes on disk. A dataset that is there already is added to, in "
        "worlds that it has not seen; an interruption loses only the episodes in flight. `--env ID` replaces the "
        f"preset's environment.\nPresets: {listed('collect')}.",
        shorthands=_SHORTHANDS,
        others=["--env"],
    )
    settings = command.config
    held = settings.collect.hold_steps
    if settings.collect.policy == "expert" and held != choice.settings.collect.hold_steps:  # a preset's may stay
        raise UsageError(f"--collect.hold-steps {held:g} is for --collect.policy random; an expert holds no action")
    folder = command.out or settings.log_folder / "data" / run_name(choice, settings.env.id)
    added = collect_into(folder, settings.env, settings.collect, settings.seed)
    states = read_dataset(folder)[1].get("states", "exact")
    summary = {"dataset": str(folder), "added_episodes": added.episodes, "added_steps": added.steps, "states": states}
    print_summary({**summary, **EpisodeStore(folder).summary()}, as_json=command.json)
    return 0
