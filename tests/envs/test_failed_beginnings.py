"""What cannot be made leaves nothing open: no renderer, thread or graphics context."""

from collections.abc import Callable
from typing import Any

import pytest

from robossl.core import UserError
from robossl.envs import EnvConfig, WorldSeed, make_env, shots
from robossl.envs.gym_env import GymEnv
from robossl.envs.gym_vector_env import GymVectorEnv
from robossl.envs.render import derived
from robossl.envs.render.raycast import RaycastRenderer
from robossl.envs.sensor_model import SensorModel
from robossl.envs.state_painter import StatePainter

CONFIG = {"id": "robossl/ArmPush-v0", "num_threads": 1, "image_size": (8, 6), "observations": ("rgb_static",)}
FLOW = {"observations": ("rgb_static", "flow_wrist"), "sensors": {"flow_wrist": SensorModel(rate_hz=2.0)}}


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Lists the renderers that are open."""
    made = list[Any]()
    init, close = RaycastRenderer.__init__, RaycastRenderer.close

    def started(self: RaycastRenderer, *parts: Any) -> None:
        init(self, *parts)
        made.append(self)

    def closed(self: RaycastRenderer) -> None:
        close(self)
        if self in made:
            made.remove(self)

    monkeypatch.setattr(RaycastRenderer, "__init__", started)
    monkeypatch.setattr(RaycastRenderer, "close", closed)
    return made


def refuse(*_: Any, **__: Any) -> None:
    raise UserError("refused")


def test_an_unknown_sensor_closes_the_environment_that_it_was_to_stand_before(opened: list[Any]) -> None:
    with pytest.raises(UserError, match="observation to make imperfect: 'nope'"):
        make_env(EnvConfig(**CONFIG, num_worlds=1, sensors={"nope": SensorModel()}), WorldSeed())
    assert opened == []


@pytest.mark.parametrize("kind", [GymEnv, GymVectorEnv])
def test_an_unknown_render_mode_is_refused_before_anything_is_made(
    kind: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{kind.__module__}.make_env", lambda *_: pytest.fail("was made"))
    with pytest.raises(ValueError, match="render_mode is 'human'"):
        kind(EnvConfig(**CONFIG), render_mode="human")


@pytest.mark.parametrize(
    "make", [lambda config: make_env(config, WorldSeed()), lambda config: StatePainter(config)], ids=["env", "painter"]
)
def test_pictures_of_which_one_cannot_be_drawn_are_all_closed(
    make: Callable[[EnvConfig], Any], opened: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    started, start = list[Any](), shots.start_renderer

    def start_all_but_flow(name: str, engine: Any, cameras: Any, keys: Any, last: Any) -> Any:
        if started and keys == ("flow_wrist",):
            raise UserError("no flow")
        started.append(keys)
        return start(name, engine, cameras, keys, last)

    monkeypatch.setattr(shots, "start_renderer", start_all_but_flow)
    with pytest.raises(UserError, match="no flow"):
        make(EnvConfig(**{**CONFIG, **FLOW}, num_worlds=1))
    assert ("rgb_static",) in started
    assert opened == []


def test_a_picture_that_cannot_be_computed_closes_the_renderer_of_its_source(
    opened: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(derived, "require_fovy", refuse)
    with pytest.raises(UserError, match="refused"):
        make_env(EnvConfig(**{**CONFIG, "observations": ("flow_wrist",)}, num_worlds=1), WorldSeed())
    assert opened == []


def test_a_painter_whose_appearances_cannot_be_drawn_closes_its_pictures(
    opened: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("robossl.envs.appearances.start_renderer", refuse)
    with pytest.raises(UserError, match="refused"):
        StatePainter(EnvConfig(**CONFIG, num_worlds=1), appearances=2)
    assert opened == []
