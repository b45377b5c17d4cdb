"""What a command begins with: the preset's settings, and what replaces parts of them as a whole."""

from pathlib import Path

import pytest

from robossl.agents.sac.config import SACConfig
from robossl.cli.arguments import parse, take_option
from robossl.cli.choice import choose, run_name
from robossl.cli.presets import dump, load_preset
from robossl.cli.settings import CollectSettings, TrainSettings
from robossl.cli.train import TrainCommand
from robossl.core import UsageError
from robossl.envs import EnvConfig


@pytest.mark.parametrize("words", [["--agent", "sac"], ["--agent=sac"], ["--agent.kind", "sac"]])
def test_another_kind_of_agent_brings_its_own_defaults(words: list[str]) -> None:
    choice = choose("train", ["quickstart", *words, "--agent.tau", "0.5"], TrainSettings)
    assert choice.settings.agent == SACConfig()
    assert choice.settings.env == load_preset("train", "quickstart", TrainSettings).env
    assert choice.rest == ["--agent.tau", "0.5"]
    command = parse(TrainCommand(config=choice.settings), choice.rest, usage="", description="")
    assert command.config.agent == SACConfig(tau=0.5)


def test_the_same_kind_of_agent_changes_nothing() -> None:
    preset = load_preset("train", "quickstart", TrainSettings)
    assert choose("train", ["quickstart", "--agent", "ppo"], TrainSettings).settings == preset


def test_another_environment_replaces_the_presets() -> None:
    choice = choose("collect", ["ring-corridor", "--env", "Pusher-v5", "-n", "5"], CollectSettings)
    assert choice.settings.env == EnvConfig(id="Pusher-v5")
    assert (choice.preset, choice.rest) == ("ring-corridor", ["-n", "5"])


def test_a_repeated_run_lies_beside_the_first(tmp_path: Path) -> None:
    run = tmp_path / "quickstart" / "1"
    run.mkdir(parents=True)
    for file in (run / "config.yaml", run / "mine.yaml", tmp_path / "config.yaml"):
        file.write_text(dump(TrainSettings()))
    (run / "system.json").write_text("{}")
    names = {
        word: run_name(choose("train", [word], TrainSettings), "robossl/ArmPush-v0")
        for word in (str(run / "config.yaml"), str(run / "mine.yaml"), str(tmp_path / "config.yaml"), "arm-push")
    }
    assert list(names.values()) == ["quickstart", "mine", "config", "arm-push"]


@pytest.mark.parametrize("words", [["-n", "7"], ["-n=7"], ["--n-timesteps", "7"], ["--n-timesteps=7"]])
def test_a_shorthand_stands_for_its_flag(words: list[str]) -> None:
    shorthands = {"-n": "--loop.n-timesteps", "--n-timesteps": "--loop.n-timesteps"}
    command = parse(TrainCommand(), words, usage="", description="", shorthands=shorthands)
    assert command.config.loop.n_timesteps == 7


@pytest.mark.parametrize("words", [["--env"], ["--env="], ["--env", "--json"]])
def test_an_option_without_its_value_is_refused(words: list[str]) -> None:
    with pytest.raises(UsageError, match="--env needs a value"):
        take_option(words, "--env")
