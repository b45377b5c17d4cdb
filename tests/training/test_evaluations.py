import dataclasses
import io
import random

import numpy as np
import pytest
import torch
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from training_runs import scalars
from training_toys import SPEC, ConstantAgent, LineEnv, Silent, Sparing

from robossl.core import Stream, UserError
from robossl.training.cadence import Every
from robossl.training.evaluations import EvaluationConfig, Evaluations, Evaluator
from robossl.training.rng import global_rng_state
from robossl.training.tensorboard import TensorBoard

CONFIG = EvaluationConfig(episodes=7, video_height_px=24, num_latents=50)


class GamblingAgent(ConstantAgent):
    """Draws from every global generator whenever it is asked."""

    def predict(self, observation, *, deterministic):
        random.random()
        np.random.rand()  # noqa: NPY002
        torch.rand(1)
        return super().predict(observation, deterministic=deterministic)


class Run:
    """Evaluations of an agent whose action the test sets, in a folder."""

    def __init__(self, folder, config=CONFIG, every=10, env=LineEnv):
        self.folder, self.agent, self.said = folder, GamblingAgent(0.1), []
        self.tensorboard = TensorBoard(folder / "tb")
        self.evaluations = Evaluations(
            self.agent,
            Evaluator(env(4, stream=Stream.EVAL), config, frame_stack=2),
            Every(every),
            run_folder=folder,
            tensorboard=self.tensorboard,
            announce=self.said.append,
        )

    def at(self, step, action):
        self.agent.action = action
        return self.evaluations.run_if_due(step)


def test_the_best_scores_highest_and_a_leap_counts_half(tmp_path):
    run = Run(tmp_path)
    improved = [run.at(step, action) for step, action in ((9, 0.9), (10, 0.1), (20, 0.2), (30, 0.2), (40, 0.15))]
    assert improved == [False, True, True, True, False]  # they count for 0.1, 0.15, 0.2 and 0.15
    assert run.evaluations.summary["distance_mean"] == pytest.approx(6 * 0.03)
    assert not run.evaluations.run_last(40)
    run.agent.action = 0.24  # counts for less than 0.2
    assert not run.evaluations.run_last(45)
    assert run.at(50, 0.25)
    assert len(run.said) == 6 + 1
    assert run.said[0].startswith("evaluation at 10 steps: success rate 1, return 0.46")


def test_what_was_evaluated_at_the_end_of_a_run_is_not_again_where_it_goes_on(tmp_path):
    run = Run(tmp_path)
    for step, action in ((10, 0.1), (20, 0.1)):
        run.at(step, action)
    run.agent.action = 0.2
    assert run.evaluations.run_last(30)  # counts for 0.15
    resumed = Run(tmp_path)
    resumed.evaluations.set_state(run.evaluations.get_state())
    assert [resumed.at(step, action) for step, action in ((30, 0.2), (39, 0.2), (40, 0.14))] == [False, False, False]
    with np.load(tmp_path / "evaluations.npz", allow_pickle=False) as history:
        assert history["timesteps"].tolist() == [10, 20, 30, 40]


def test_every_evaluation_leaves_its_figures_video_and_latents(tmp_path):
    run = Run(tmp_path)
    for step in (10, 20):
        run.at(step, 0.1)
    run.tensorboard.close()
    logged = scalars(tmp_path)
    expected = {"mean_reward", "mean_ep_length", "success_rate", "distance", "collision"}
    expected |= {"rankme"}
    assert set(logged) == {f"eval/{name}" for name in expected}  # updates of pretraining have tags of their own
    assert logged["eval/mean_ep_length"] == [(10, 6.0), (20, 6.0)]
    events = EventAccumulator(str(tmp_path / "tb"))
    events.Reload()
    video = events.Images("eval/rollout_video")[-1]
    content = (tmp_path / "videos" / "000000020.gif").read_bytes()
    assert video.encoded_image_string == content
    assert Image.open(io.BytesIO(content)).n_frames == 4  # world 0 lasts three steps
    (camera, _) = events.Images("eval/camera")
    assert camera.width >= 320
    with np.load(tmp_path / "evaluations.npz", allow_pickle=False) as history:
        assert history["timesteps"].tolist() == [10, 20]
        assert history["ep_lengths"].tolist() == [[3, 4, 5, 6, 7, 8, 9]] * 2
        assert history["results"].shape == history["successes"].shape == (2, 7)
    rows = (tmp_path / "tb" / "projector" / "metadata.tsv").read_text().splitlines()
    assert rows[0].split("\t") == ["episode", "step", "reward", "return", "success", "place_x", "place_world"]
    assert len(rows) - 1 == len((tmp_path / "tb" / "projector" / "tensors.tsv").read_text().splitlines())


def test_a_video_may_be_rarer_than_evaluations_and_the_last_one_is_filmed(tmp_path):
    run = Run(tmp_path, dataclasses.replace(CONFIG, video_every=3))
    for step in (10, 20, 30, 40, 50):
        run.at(step, 0.1)
    run.evaluations.run_last(55)
    assert sorted(path.stem for path in (tmp_path / "videos").iterdir()) == ["000000010", "000000040", "000000055"]


def test_global_generators_are_left_as_they_were(tmp_path):
    before = global_rng_state()
    Run(tmp_path).at(10, 0.1)
    after = global_rng_state()
    assert after["python"] == before["python"]
    np.testing.assert_array_equal(after["numpy"][1], before["numpy"][1])
    assert after["numpy"][2] == before["numpy"][2]
    assert torch.equal(after["torch"], before["torch"])


def test_its_state_goes_on(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    first, second = Run(tmp_path / "a"), Run(tmp_path / "b")
    first.at(10, 0.2)
    second.evaluations.set_state(first.evaluations.get_state())
    assert not second.at(19, 0.3)
    assert not second.at(20, 0.1)
    assert not second.at(30, 0.28)  # counts for 0.19
    assert second.at(40, 0.3)
    with np.load(tmp_path / "b" / "evaluations.npz", allow_pickle=False) as history:
        assert history["timesteps"].tolist() == [10, 20, 30, 40]


def test_an_environment_that_cannot_be_drawn_is_evaluated_without_video(tmp_path):
    env = LineEnv(4)
    env.spec = dataclasses.replace(SPEC, observation={"proprio": SPEC.observation["proprio"]}, camera_names=())
    evaluator = Evaluator(env, CONFIG)
    assert evaluator.no_video == "toy/Line-v0 has no camera to film with"
    evaluation = evaluator(ConstantAgent(0.1))
    assert evaluation.frames is None
    assert evaluation.latents.thumbnails is None
    assert Evaluator(LineEnv(4), dataclasses.replace(CONFIG, video_height_px=None)).no_video is None


def test_a_score_that_does_not_exist_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"unknown evaluation.score 'distance'; did you mean 'distance_mean'"):
        Evaluator(LineEnv(4), dataclasses.replace(CONFIG, score="distance"))


def test_it_is_said_once_that_there_are_too_few_moments_for_a_probe(tmp_path):
    run = Run(tmp_path)
    for step in (10, 20):
        run.at(step, 0.1)
    told = [line for line in run.said if "r2_" in line]  # 7 episodes of 3 to 9 steps
    assert told == [
        "no probe (eval/r2_) of evaluations: 24 and 18 moments of every other episode, at least 32 are needed of either"
    ]
    enough = Run(tmp_path, dataclasses.replace(CONFIG, episodes=16, num_latents=1000, video_height_px=None))
    enough.at(10, 0.1)
    assert len(enough.said) == 1


def test_success_is_no_figure_where_there_is_none(tmp_path):
    run = Run(tmp_path, env=Silent)
    run.at(10, 0.1)
    run.tensorboard.close()
    assert "success" not in run.said[0]
    with np.load(tmp_path / "evaluations.npz", allow_pickle=False) as history:
        assert "successes" not in history
    assert "eval/mean_reward" in scalars(tmp_path)
    assert "eval/success_rate" not in scalars(tmp_path)
    assert "success" not in (tmp_path / "tb" / "projector" / "metadata.tsv").read_text().splitlines()[0]
    evaluator = Evaluator(Silent(4), dataclasses.replace(CONFIG, score="success_rate", video_height_px=None))
    assert evaluator(ConstantAgent(0.1)).result.summary()["success_rate"] == 0.0  # some tell of it only where there is


def test_success_that_training_was_told_of_is_none_where_nothing_is_told(tmp_path):
    run = Run(tmp_path, env=Silent)
    run.agent.ep_success_buffer = [1.0]
    run.at(10, 0.1)
    assert run.evaluations.summary["success_rate"] == 0.0
    run.tensorboard.close()
    assert scalars(tmp_path)["eval/success_rate"] == [(10, 0.0)]
    with np.load(tmp_path / "evaluations.npz", allow_pickle=False) as history:
        assert not history["successes"].any()


def test_success_that_was_told_of_once_is_none_where_nothing_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(Sparing, "num_failed", 0)
    run = Run(tmp_path, env=Sparing)
    rates = []
    for step, action in ((10, -0.1), (20, 0.1)):
        run.at(step, action)
        rates.append(run.evaluations.summary.get("success_rate"))
    resumed = Run(tmp_path, env=Sparing)
    resumed.evaluations.set_state(run.evaluations.get_state())
    resumed.at(30, -0.1)
    rates.append(resumed.evaluations.summary["success_rate"])
    assert rates == [None, 1.0, 0.0]
    with np.load(tmp_path / "evaluations.npz", allow_pickle=False) as history:
        assert history["successes"].mean(axis=1).tolist() == [0.0, 1.0, 0.0]


@pytest.mark.parametrize(
    ("field", "value"), [("episodes", 0), ("video_every", 0), ("video_height_px", 3), ("num_latents", 0)]
)
def test_bad_numbers_are_refused(field, value):
    with pytest.raises(UserError, match=rf"evaluation\.{field.replace('_', '-')} must be at least .*got {value}"):
        EvaluationConfig(**{field: value})
