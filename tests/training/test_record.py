import dataclasses
import io

import numpy as np
import pytest
from PIL import Image
from training_toys import HEIGHT, SPEC, WIDTH, ConstantAgent, LineEnv, OtherChannelsEnv

from robossl.core import UserError
from robossl.training.film import Film
from robossl.training.policy import AgentPolicy
from robossl.training.record import RecordConfig, record
from robossl.training.rollout import Rollout


def policy(action=0.1):
    return AgentPolicy(ConstantAgent(action), SPEC.observation, frame_stack=1)


def test_a_video_has_every_observation_of_every_episode_and_both_cameras():
    env = LineEnv(1)
    recording = record(env, policy(), RecordConfig(episodes=2, height_px=24))
    assert recording.fps == 10.0
    # Episodes of 3 and 4 steps: 4 + 5 observations, the last ones included. World 0 is as bright as the step.
    steps = [0, 1, 2, 3, 0, 1, 2, 3, 4]
    assert recording.frames.shape[0] == len(steps)
    viewer, robot = recording.frames[:, 5, 5, 0], recording.frames[:, 5, -5, 0]
    assert viewer.tolist() == steps
    assert robot.tolist() == steps
    assert recording.frames.shape[2] == 32 + 24 * WIDTH // HEIGHT
    assert env.before_reset is None


@pytest.mark.parametrize("num_channels", [1, 4])
def test_pictures_of_other_channels_are_filmed(num_channels):
    frames = record(OtherChannelsEnv(num_channels, 1), policy(), RecordConfig(episodes=1, height_px=24)).frames
    assert frames[:, 5, -5].tolist() == [[step] * 3 for step in range(4)]


def test_a_line_of_figures_stands_below():
    frames = record(LineEnv(1), policy(), RecordConfig(episodes=1, height_px=64)).frames
    bar = frames[:, 64:].max(axis=(1, 2, 3))
    assert (bar > 200).all()
    assert len({frame[64:].tobytes() for frame in frames}) == len(frames)


def test_only_the_first_world_of_the_first_chunk_is_filmed():
    env = LineEnv(3)
    with Film(env, height_px=16) as film:
        for first_world in (0, 3):
            rollout = Rollout(env, policy(), first_world=first_world)
            film.begin(rollout.obs)
            for _ in range(12):
                film.observe(rollout.step(), np.ones(3, bool))
    assert film.frames[:, 5, 5, 0].tolist() == [0, 1, 2, 3]


def test_files_are_written_and_play(tmp_path):
    recording = record(LineEnv(1), policy(), RecordConfig(episodes=1, height_px=24))
    gif, sheet = recording.save(tmp_path / "videos", "best")
    assert (gif.name, sheet.name) == ("best.gif", "best.png")
    assert Image.open(io.BytesIO(gif.read_bytes())).n_frames == len(recording.frames)
    assert Image.open(sheet).size == (recording.frames.shape[2] * 4, recording.frames.shape[1])


def test_without_any_camera_there_is_one_clear_line():
    env = LineEnv(1)
    observation = {"proprio": SPEC.observation["proprio"]}
    env.spec = dataclasses.replace(SPEC, observation=observation, camera_names=())
    with pytest.raises(UserError, match="toy/Line-v0 has no camera to film with"):
        record(env, policy(), RecordConfig())


@pytest.mark.parametrize(("field", "value"), [("episodes", 0), ("height_px", 8)])
def test_bad_numbers_are_refused(field, value):
    with pytest.raises(UserError, match=rf"record\.{field.replace('_', '-')}.*{value}"):
        RecordConfig(**{field: value})
