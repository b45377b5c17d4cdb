"""Presets: strict, inheritable, and equal after a round trip."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest

from robossl.cli.presets import absent_parts, build, dump, flag_names, load_preset, preset_names
from robossl.cli.settings import CollectSettings, PretrainSettings, TrainSettings
from robossl.core import UserError

SETTINGS = {"train": TrainSettings, "collect": CollectSettings, "pretrain": PretrainSettings}
EVERY_PRESET = [(verb, name) for verb in SETTINGS for name in preset_names(verb)]


@dataclass(frozen=True, kw_only=True)
class Small:
    kind: Literal["small"] = "small"
    size: int = 1


@dataclass(frozen=True, kw_only=True)
class Large:
    kind: Literal["large"] = "large"
    width: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Config:
    part: Small | Large = field(default_factory=Small)
    parts: tuple[Small | Large, ...] = ()
    pair: tuple[int, int] | None = None
    rate: float = 0.1
    is_on: bool = False


@pytest.mark.parametrize(("verb", "name"), EVERY_PRESET)
def test_every_preset_loads_and_returns_from_yaml(verb: str, name: str, tmp_path: Path) -> None:
    settings = load_preset(verb, name, SETTINGS[verb])
    path = tmp_path / "config.yaml"
    path.write_text(dump(settings))
    assert load_preset(verb, str(path), SETTINGS[verb]) == settings


def test_kinds_lists_and_pairs_are_built() -> None:
    data = {"part": {"kind": "large", "width": 2}, "parts": [{"kind": "small", "size": 3}], "pair": [4, 5]}
    assert build(Config, data, where="c") == Config(part=Large(width=2.0), parts=(Small(size=3),), pair=(4, 5))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"raet": 1.0}, "unknown key in c: 'raet'; did you mean 'rate'"),
        ({"part": {"kind": "lareg"}}, "did you mean 'large'"),
        ({"part": {"kind": "small", "size": 1.5}}, "c.part.size: expected int, got 1.5"),
        ({"is_on": 1}, "c.is_on: expected bool, got 1"),
        ({"rate": True}, "c.rate: expected float, got True"),
        ({"pair": [1, 2, 3]}, "c.pair"),
        ({"parts": "small"}, "c.parts: expected a list"),
    ],
)
def test_a_wrong_value_is_named(data: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        build(Config, data, where="c")


def test_scientific_notation_is_a_number() -> None:
    assert build(Config, {"rate": "1e-3"}, where="c").rate == 1e-3


def test_a_child_overrides_its_parent_key_by_key(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("extends: quickstart\nagent: {kind: ppo, gamma: 0.5}\n")
    parent, mine = (load_preset("train", name, TrainSettings) for name in ("quickstart", str(path)))
    assert mine.agent.gamma == 0.5
    assert mine.agent.learning_rate == parent.agent.learning_rate
    assert mine.env == parent.env


def test_another_kind_does_not_inherit_the_parents_keys(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("extends: quickstart\nagent: {kind: sac}\n")
    assert load_preset("train", str(path), TrainSettings).agent == type(TrainSettings(agent=build_sac()).agent)()


def test_presets_that_extend_each_other_are_one_line(tmp_path: Path) -> None:
    one, other = tmp_path / "one.yaml", tmp_path / "other.yaml"
    one.write_text(f"extends: {other}\n")
    other.write_text(f"extends: {one}\n")
    with pytest.raises(UserError, match=rf"other\.yaml: extends {one}, which extends it"):
        load_preset("train", str(one), TrainSettings)


@pytest.mark.parametrize("parent", ["5", "[quickstart]", "{}"])
def test_a_parent_that_is_no_name_is_one_line(tmp_path: Path, parent: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(f"extends: {parent}\n")
    with pytest.raises(UserError, match="extends takes one preset's name"):
        load_preset("train", str(path), TrainSettings)


def build_sac() -> object:
    from robossl.agents.sac.config import SACConfig

    return SACConfig()


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match=r"mine\.yaml cannot be read"):
        load_preset("train", str(path), TrainSettings)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("agent: [", "not valid YAML"),
        (f"agent: {'[' * 3000}{']' * 3000}", "nested too deeply"),
        (f"seed: {'1' * 5000}", "not valid YAML"),
        ("loop: {n_timesteps: 10:00}", "10:00 is no number"),
        ("loop: {n-timesteps: 1, n_timesteps: 2}", "'n_timesteps' stands there twice"),
        ("env: {randomise: {friction: {low: 1, high: 2}}}", r"friction: cannot be \{'low': 1, 'high': 2\}"),
        ("extends: nowhere.yaml", r"mine\.yaml extends nowhere\.yaml, which does not exist"),
    ],
)
def test_broken_yaml_is_one_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=message) as error:
        load_preset("train", str(path), TrainSettings)
    assert "\n" not in str(error.value)


def test_what_a_file_extends_lies_beside_it_wherever_the_command_runs(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text("extends: quickstart\nseed: 5\n")
    (tmp_path / "mine.yaml").write_text("extends: base.yaml\nlog_folder: ~/runs\n")
    settings = load_preset("train", str(tmp_path / "mine.yaml"), TrainSettings)
    assert settings.seed == 5
    assert settings.log_folder == Path.home() / "runs"


def test_what_a_preset_has_none_of_has_no_flags() -> None:
    settings = load_preset("train", "quickstart", TrainSettings)
    assert absent_parts(settings) == ["augment", "objectives"]
    flags = flag_names(settings)
    assert {"--env.difficulty", "--env.sensors", "--pretrain.objectives.1.view.crop-area"} <= set(flags)
    assert not {"--augment", "--objectives"} & set(flags)


def test_a_folder_is_no_preset(tmp_path: Path) -> None:
    (tmp_path / "folder.yaml").mkdir()
    with pytest.raises(UserError, match=r"folder\.yaml is no file"):
        load_preset("train", str(tmp_path / "folder.yaml"), TrainSettings)
