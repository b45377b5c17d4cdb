"""What a command begins with: a preset, and what is to be another as a whole: `--env ID`, `--agent KIND`."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Generic, TypeVar, get_type_hints

from robossl.cli.arguments import split_positional, take_option
from robossl.cli.presets import build, load_preset, preset_names
from robossl.envs import EnvConfig

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice(Generic[T]):
    """Where the dotted overrides start from.

    Attributes:
        settings: the preset's, with another environment or agent where asked for.
        preset: its name, or the path of its file; None where there is none.
        rest: the other arguments.
    """

    settings: T
    preset: str | None
    rest: list[str]


def choose(verb: str, arguments: Sequence[str], settings_type: type[T]) -> Choice[T]:
    """Reads the preset that the arguments begin with, and takes `--env` and `--agent` out of them.

    Either one replaces all that the preset says of the environment or of the agent: another one's numbers mean
    something else.

    Raises:
        UserError: if there is no such preset or kind of agent, with the nearest one.
    """
    preset, rest = split_positional(arguments)
    settings: Any = load_preset(verb, preset, settings_type) if preset else settings_type()
    if hasattr(settings, "env"):
        env_id, rest = take_option(rest, "--env")
        settings = settings if env_id is None else replace(settings, env=EnvConfig(id=env_id))
    if hasattr(settings, "agent"):
        for flag in ("--agent", "--agent.kind"):
            kind, rest = take_option(rest, flag)
            if kind not in (None, settings.agent.kind):
                agent = build(get_type_hints(settings_type)["agent"], {"kind": kind}, where=flag)
                settings = replace(settings, agent=agent)
    return Choice(settings=settings, preset=preset, rest=rest)


def run_name(choice: Choice[Any], otherwise: str) -> str:
    """Returns the name of the folder that comes of a choice: the preset's or repeated run's, or that of `otherwise`."""
    if not choice.preset:
        return otherwise.rpartition("/")[2]
    path = Path(choice.preset)
    is_run = path.name == "config.yaml" and (path.parent / "system.json").is_file()
    return path.resolve().parents[1].name if is_run else path.stem


def listed(verb: str) -> str:
    """Returns the names of the verb's presets, for `--help`."""
    return ", ".join(preset_names(verb))
