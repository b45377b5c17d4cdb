"""Run by `test_resume.py` in a process of its own: trains and is killed in the middle of a rollout."""

import os
import signal
import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parent))

from training_runs import CallAt, run


def main():
    torch.set_num_threads(1)
    kind, folder, step = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    run(kind, folder, callbacks=[CallAt(step, lambda: os.kill(os.getpid(), signal.SIGKILL))])


if __name__ == "__main__":
    main()
