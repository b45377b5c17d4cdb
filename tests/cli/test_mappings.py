"""Flags with the user's own names in them."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import pytest

from robossl.cli.acting import acting_like
from robossl.cli.arguments import FLAT, parse
from robossl.cli.evaluate import EvalCommand
from robossl.cli.presets import dump, load_preset
from robossl.cli.settings import CollectSettings, TrainSettings
from robossl.core import UnknownNameError, UserError
from robossl.envs import EnvConfig
from robossl.envs.sensor_model import SensorModel


@dataclass(frozen=True, kw_only=True)
class Command:
    config: Annotated[CollectSettings, FLAT] = field(default_factory=CollectSettings)
    json: bool = False


def sensors(*words: str, command: Command | None = None) -> dict[str, SensorModel]:
    return parse(command or Command(), words, usage="test", description="").config.env.sensors


def test_a_dotted_flag_makes_an_entry_and_others_stay_as_they_were() -> None:
    first = "--env.sensors.proprio.noise-std 0.01 --env.num-worlds 3 --sensors.rgb_front.delay-s=0.25 --json"
    command = parse(Command(), first.split(), usage="test", description="")
    expected = {"proprio": SensorModel(noise_std=0.01), "rgb_front": SensorModel(delay_s=0.25)}
    assert command.config.env.sensors == expected
    assert (command.config.env.num_worlds, command.json) == (3, True)
    more = sensors("--sensors.proprio.on-dropout", "zero", command=command)
    assert more == {**expected, "proprio": SensorModel(noise_std=0.01, on_dropout="zero")}


def test_sensors_of_a_preset_are_read_written_and_overridden(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("extends: arm-push\nenv:\n  sensors:\n    proprio: {noise_std: 0.5, rate_hz: 10}\n")
    settings = load_preset("collect", str(path), CollectSettings)
    assert settings.env.sensors == {"proprio": SensorModel(noise_std=0.5, rate_hz=10.0)}
    assert settings.env.num_worlds == load_preset("collect", "arm-push", CollectSettings).env.num_worlds
    assert sensors("--sensors.proprio.rate-hz", "5", command=Command(config=settings))["proprio"].rate_hz == 5.0
    path.write_text(dump(settings))
    assert load_preset("collect", str(path), CollectSettings) == settings


def test_flags_of_a_run_override_its_own_sensors_and_ranges(tmp_path: Path) -> None:
    env = EnvConfig(sensors={"proprio": SensorModel(noise_std=0.5, rate_hz=10.0)}, randomise={"light": (0.5, 2.0)})
    (tmp_path / "config.yaml").write_text(dump(TrainSettings(env=env)))
    command = EvalCommand(acting=acting_like(tmp_path))
    words = "--sensors.proprio.dropout 0.2 --sensors.rgb_front.delay-s 1 --randomise.mass 0.5 1"
    acting = parse(command, words.split(), usage="test", description="").acting
    proprio = SensorModel(noise_std=0.5, rate_hz=10.0, dropout=0.2)
    assert acting.sensors == {"proprio": proprio, "rgb_front": SensorModel(delay_s=1.0)}
    assert acting.randomise == {"light": (0.5, 2.0), "mass": (0.5, 1.0)}


@pytest.mark.parametrize(
    ("words", "error", "message"),
    [
        ("--sensors.proprio.nois-std 1", UnknownNameError, "'nois_std'; did you mean 'noise_std'"),
        ("--sensors.proprio.noise-std much", UserError, "sensors.proprio.noise_std: expected float, got 'much'"),
        ("--sensors.proprio.noise-std --json", UserError, "--sensors.proprio.noise-std needs a value"),
        ("--sensors.proprio.noise-std -1", UserError, "noise-std must be finite and not negative, got -1"),
        ("--sensors.proprio.noise-std [", UserError, "--sensors.proprio.noise-std: not valid YAML"),
        ("--env.sensors {", UserError, "value: not valid YAML"),
        ("--sensors.proprio 3", UserError, "sensors.proprio: expected keys and values, got 3"),
        ("--env.sensrs.proprio.noise-std 1", UserError, "did you mean '--env.sensors'"),
    ],
)
def test_what_is_wrong_is_named(words: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        sensors(*words.split())
