"""Run by `make wheel-test` in a clean environment, from an empty folder: a short quickstart, and all that it leaves."""

import json
import subprocess
import sys
from pathlib import Path

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import robossl

SHORT = """
    --env.num-worlds 8 --pretrain.collect.steps 300 --pretrain.pretrain.updates 6 --pretrain.pretrain.batch-size 16
    --pretrain.pretrain.probe-every None --agent.batch-size 64 --agent.n-epochs 1 -n 2048 --loop.log-every 512
    --loop.eval-every 1024 --loop.checkpoint-every 1024 --evaluation.episodes 4 --test-episodes 4 --json
"""


def require(condition: bool, what: str) -> None:
    if not condition:
        sys.exit(f"wheel-test: {what}")


def main() -> None:
    environment = Path(sys.prefix)
    require(Path(robossl.__file__).is_relative_to(environment), f"robossl comes from {robossl.__file__}")
    command = [environment / "bin" / "robossl", "train", "quickstart", *SHORT.split()]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    print(done.stdout)
    require(done.returncode == 0, f"the quickstart ended with {done.returncode}")
    *lines, last = done.stdout.splitlines()
    for name in ("success", "distance", "time"):
        require(any(line.startswith(name) for line in lines), f"the summary has no line {name!r}")
    figures = json.loads(last)
    require(figures["n_timesteps"] == 2048 and figures["episodes"] == 4, "the figures are of another run")
    require(Path(figures["video"]).read_bytes().startswith(b"GIF89a"), "the video is no GIF")
    require((Path(figures["checkpoint"]) / "done").is_file(), "the checkpoint is not complete")
    require((Path(figures["run"]) / "encoder" / "encoder.safetensors").is_file(), "the run keeps no encoder")
    events = EventAccumulator(figures["tensorboard"])
    events.Reload()
    tags = events.Tags()
    require({"rollout/ep_rew_mean", "eval/mean_reward"} <= set(tags["scalars"]), "scalars are missing in TensorBoard")
    require("eval/rollout_video" in tags["images"], "no video in TensorBoard")
    print("wheel-test: the wheel runs the quickstart by itself")


if __name__ == "__main__":
    main()
