"""A short training run of a small agent, and everything of it that must not depend on interruptions."""

import csv
import random
import shutil
import tempfile
from pathlib import Path

import numpy as np
import torch
from stable_baselines3.common.callbacks import BaseCallback
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from training_toys import LineEnv, make_agent

from robossl.core import Stream
from robossl.objectives import InverseDynamicsConfig
from robossl.training.checkpoint import Checkpoint
from robossl.training.evaluations import EvaluationConfig, Evaluator
from robossl.training.train import TrainLoopConfig, train

LOOP = TrainLoopConfig(n_timesteps=256, log_every=40, eval_every=90, checkpoint_every=60, keep_checkpoints=2)


class CallAt(BaseCallback):
    """Calls something once, at the first step of a rollout that reaches `step`."""

    def __init__(self, step, call):
        super().__init__()
        self.step, self.call = step, call

    def _on_step(self):
        if self.num_timesteps >= self.step and self.call is not None:
            call, self.call = self.call, None
            call()
        return True


class Gambler(BaseCallback):
    """Draws from every global generator at every step, as parts of SB3 do."""

    def _on_step(self):
        random.random()
        np.random.rand()  # noqa: NPY002
        torch.rand(1)
        return True


def run(kind, folder, *, callbacks=(), evaluator=True, env=LineEnv, loop=LOOP, **options):
    folder.mkdir(exist_ok=True)
    agent = make_agent(kind, objectives=[InverseDynamicsConfig()] if kind == "sac" else [], env=env)
    evaluations = EvaluationConfig(episodes=6, video_height_px=16, num_latents=20)
    watcher = Evaluator(LineEnv(4, stream=Stream.EVAL), evaluations, frame_stack=2) if evaluator else None
    return train(agent, folder, loop, evaluator=watcher, callbacks=[Gambler(), *callbacks], **options)


def outcome(folder):
    """Returns {name: value} of the finished run's checkpoint and logs, without wall-clock times."""
    checkpoint = Checkpoint(folder / "checkpoints" / "last")
    agent, training = checkpoint.tree("agent"), checkpoint.tree("training")
    for episode in agent["progress"]["episodes"] if "progress" in agent else []:
        episode.pop("t")
    with (folder / "train.monitor.csv").open() as file:
        next(file)
        rows = [{name: value for name, value in row.items() if name != "t"} for row in csv.DictReader(file)]
    with np.load(folder / "evaluations.npz", allow_pickle=False) as evaluations:
        history = {name: evaluations[name] for name in evaluations.files}
    return {
        "step": checkpoint.step,
        "agent": agent,
        "env": checkpoint.tree("env"),
        "rng": training["rng"],
        "monitor": rows,
        "evaluations": history,
        "scalars": scalars(folder),
        "best": (folder / "checkpoints" / "best").resolve().name,
        "replay": (checkpoint.path / "replay.json").read_text() if (checkpoint.path / "replay").exists() else None,
    }


def scalars(folder):
    """Returns {tag: [(step, value)]} as TensorBoard shows them, without speeds."""
    with tempfile.TemporaryDirectory() as ordered:
        for i, path in enumerate(sorted((folder / "tb").glob("events.*"), key=_creation)):
            shutil.copy(path, Path(ordered) / f"events.out.tfevents.{i:04d}")
        events = EventAccumulator(ordered, size_guidance={"scalars": 0})
        events.Reload()
    tags = [tag for tag in events.Tags()["scalars"] if not tag.startswith(("perf/", "time/"))]
    return {tag: [(event.step, event.value) for event in events.Scalars(tag)] for tag in tags}


def _creation(path):
    """Orders event files of one second by their running number, which their names do not pad."""
    return path.name.split(".")[3], int(path.name.split(".")[-1])
