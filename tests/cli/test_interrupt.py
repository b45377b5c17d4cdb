"""Ctrl-C and lost terminals while worker threads simulate and draw: the process ends, and leaves nothing behind."""

import os
import pty
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from robossl.data import EpisodeStore

PATIENCE_S = 60  # a process that still runs then hangs
_LOOP = """
import numpy as np
from robossl.envs import EnvConfig, WorldSeed, make_env

observations = ("rgb_front", "lidar")
config = EnvConfig(id="robossl/RingCorridor-v0", num_worlds=64, num_threads=2, observations=observations)
env = make_env(config, WorldSeed())
env.reset()
while True:
    env.step(np.zeros((64, 1), np.float32))
    print("stepped", flush=True)
"""
_CLI = """
import sys
from robossl.cli.main import main
from robossl.training import progress

progress._LINE_EVERY_S = 0.1  # for it to tell at once that it has begun
main(sys.argv[1:])
"""
_SOAK = "bench soak --env robossl/RingCorridor-v0 --num-threads 2 --steps 100000000"
_EVAL = "eval --env robossl/RingCorridor-v0 --policy random --episodes 1000000"


def interrupted(*arguments: str, sign: str) -> tuple[int, str, int]:
    """Sends SIGINT to a Python process once a line of its output has `sign`.

    Returns:
        Its exit code, what it said to the end, and how many threads it had.
    """
    process = subprocess.Popen(
        [sys.executable, "-c", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # a shell may have it ignored
    )
    assert process.stdout is not None
    said = ""
    try:
        while sign not in said:
            part = os.read(process.stdout.fileno(), 4096).decode()
            assert part, said
            said += part
        tasks = Path(f"/proc/{process.pid}/task")
        num_threads = len(list(tasks.iterdir())) if tasks.is_dir() else 0
        process.send_signal(signal.SIGINT)
        said += process.communicate(timeout=PATIENCE_S)[0]  # until nobody holds the pipe
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)  # nobody is left of its group
    return process.returncode, said, num_threads


def test_a_loop_of_ones_own_ends_though_threads_simulate_and_draw() -> None:
    code, said, num_threads = interrupted(_LOOP, sign="stepped")
    assert code in (-signal.SIGINT, 128 + signal.SIGINT)
    assert said.rstrip().endswith("KeyboardInterrupt")
    assert num_threads != 1  # 0 where the system does not tell


@pytest.mark.parametrize(
    ("words", "sign", "last"),
    [(_SOAK, "soak", "robossl: stopped by SIGINT"), (_EVAL, "eval:", "robossl: interrupted")],
)
def test_a_command_ends_with_one_line(words: str, sign: str, last: str) -> None:
    code, said, num_threads = interrupted(_CLI, *words.split(), sign=sign)
    assert code == 130, said
    assert said.rstrip().splitlines()[-1] == last
    assert "Traceback" not in said
    assert num_threads != 1


def test_a_command_whose_terminal_is_lost_keeps_what_it_has(tmp_path: Path) -> None:
    words = f"collect --env robossl/RingCorridor-v0 --env.num-threads 1 --collect.steps 100000000 --out {tmp_path}/data"
    process, terminal = pty.fork()
    if not process:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        os.execv(sys.executable, [sys.executable, "-c", _CLI, *words.split(), "--collect.no-pictures"])
    index = tmp_path / "data" / "index.jsonl"
    end_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < end_s and not (index.exists() and index.stat().st_size):
        if select.select([terminal], [], [], 0.05)[0]:
            os.read(terminal, 4096)
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 128 + signal.SIGHUP
    store = EpisodeStore(tmp_path / "data")
    assert len(store) > 0
    assert store.verify() == []


_IMPORTING = """
import sys

class CtrlC:
    def find_spec(self, name, path=None, target=None):
        if name == "numpy":
            {what}

sys.meta_path.insert(0, CtrlC())
from robossl.cli.main import main
main(["envs"])
"""


@pytest.mark.parametrize(
    "what",
    ["raise KeyboardInterrupt", "raise ImportError('initialization failed') from KeyboardInterrupt()"],
    ids=["python", "compiled"],
)
def test_a_command_that_is_still_importing_ends_with_one_line(what: str) -> None:
    words = [sys.executable, "-c", _IMPORTING.format(what=what)]
    process = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (process.returncode, process.stderr) == (130, "robossl: interrupted\n")
