"""`robossl collect`: trial-and-error data."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated

from robossl.cli.arguments import FLAT, parse, split_positional, take_option
from robossl.cli.artifacts import collect_into
from robossl.cli.figures import print_summary
from robossl.cli.presets import load_preset, preset_names
from robossl.cli.settings import CollectSettings
from robossl.data import EpisodeStore
from robossl.envs import EnvConfig

_ALIASES = {"-n": "--collect.steps", "--n-timesteps": "--collect.steps", "-f": "--log-folder"}


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
    preset, rest = split_positional(arguments)
    env_id, rest = take_option(rest, "--env")
    settings = load_preset("collect", preset, CollectSettings) if preset else CollectSettings()
    if env_id is not None:
        settings = replace(settings, env=EnvConfig(id=env_id))
    command = parse(
        CollectCommand(config=settings),
        [_ALIASES.get(word, word) for word in rest],
        usage="robossl collect [PRESET]",
        description=f"Collects episodes, in --env ID too. Presets: {', '.join(preset_names('collect'))}.",
    )
    settings = command.config
    name = preset or settings.env.id.rpartition("/")[2]
    folder = command.out or settings.log_folder / "data" / Path(name).stem
    added = collect_into(folder, settings.env, settings.collect, settings.seed)
    summary = {"dataset": str(folder), "added_episodes": added.episodes, "added_steps": added.steps}
    print_summary({**summary, **EpisodeStore(folder).summary()}, as_json=command.json)
    return 0
