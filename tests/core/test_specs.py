"""Specs travel as JSON and are compared."""

import json
from dataclasses import replace

import pytest

from robossl.core import ArraySpec, CameraSpec, CommandSpec, EnvSpec, RenderSpec, UserError
from robossl.core.specs import require_same_control, require_same_observation


def spec(width: int = 48, renderer: str = "raycast") -> EnvSpec:
    return EnvSpec(
        id="robossl/Test-v0",
        control_hz=4.0,
        max_episode_steps=200,
        observation={
            "rgb_front": ArraySpec(shape=(27, width, 3), dtype="uint8", low=0, high=255),
            "proprio": ArraySpec(shape=(2,), names=("speed_m_s", "yaw_rate_rad_s"), units=("m/s", "rad/s")),
        },
        action=ArraySpec(shape=(1,), low=-1, high=1, names=("steering",)),
        metrics=("distance",),
        commands=(
            CommandSpec(name="yaw_rate_rad_s", unit="rad/s", source=0, scale=2.0, offset=0.0, low=-2.0, high=2.0),
        ),
        render=RenderSpec(renderer=renderer, version=1, cameras=(CameraSpec(name="front", width=width, height=27),)),
    )


def test_json_round_trip_is_exact() -> None:
    assert EnvSpec.from_json(json.loads(json.dumps(spec().to_json(), allow_nan=False)), file="env.json") == spec()


def test_a_run_from_before_commands_were_told_is_read() -> None:
    data = spec().to_json()
    del data["commands"], data["observation"]["proprio"]["units"]
    read = EnvSpec.from_json(data, file="env.json")
    assert read.commands == ()
    assert read.observation["proprio"].units == ()


def test_missing_field_is_named() -> None:
    data = spec().to_json()
    del data["action"]
    with pytest.raises(UserError, match=r"^env\.json: key 'action' is missing$"):
        EnvSpec.from_json(data, file="env.json")


@pytest.mark.parametrize(("other", "message"), [(spec(width=64), "rgb_front"), (spec(renderer="gl"), "gl")])
def test_another_camera_or_renderer_is_refused(other: EnvSpec, message: str) -> None:
    require_same_observation(spec(), spec(), where="run 1")
    with pytest.raises(UserError, match=message):
        require_same_observation(spec(), other, where="run 1")


def test_an_action_that_now_does_something_else_is_refused() -> None:
    faster, stronger = (
        replace(spec(), control_hz=8.0),
        replace(spec(), commands=(replace(spec().commands[0], scale=3.0, high=3.0),)),
    )
    require_same_control(spec(), spec(), where="run 1")
    require_same_control(replace(spec(), commands=()), spec(), where="run 1")
    with pytest.raises(UserError, match=r"^run 1: it was trained with 4 decisions a second; .* now makes 8, and"):
        require_same_control(spec(), faster, where="run 1")
    with pytest.raises(
        UserError, match=r"yaw_rate_rad_s = 0 \+ 2 \* action was commanded; now it is yaw_rate_rad_s = 0 \+ 3"
    ):
        require_same_control(spec(), stronger, where="run 1")
    with pytest.raises(UserError, match="now it is nothing"):
        require_same_control(spec(), replace(spec(), commands=()), where="run 1")
