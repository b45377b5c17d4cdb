"""The command line whose output nobody takes: the work is done, and the exit code is its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

_CALL = """
import sys
from pathlib import Path
from robossl.cli import main

def work(words):
    {work}

main._run = work
main.main([{verb!r}])
"""
_LOGGED = """
    from robossl.training.progress import Progress
    with Progress("train", 20000, "steps") as progress:
        for k in range(10):
            progress.say("evaluation")
            progress.add(1)
            print("SB3's table", flush=True)
    Path(sys.argv[1]).write_text("the agent")
    return 3
"""


def call(work: str, *words: object, verb: str = "train") -> list[str]:
    return [sys.executable, "-c", _CALL.format(work=work.strip(), verb=verb), *map(str, words)]


def closed_pipe() -> int:
    read, written = os.pipe()
    os.close(read)
    return written


def test_work_whose_progress_nobody_reads_any_more_goes_on_to_its_end(tmp_path: Path) -> None:
    written = closed_pipe()
    done = subprocess.run(call(_LOGGED, tmp_path / "saved"), stdout=written, stderr=written, check=False)
    os.close(written)
    assert done.returncode == 3
    assert (tmp_path / "saved").read_text() == "the agent"


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize(("code", "verb"), [(0, "eval"), (1, "dataset"), (3, "bridge")])
def test_the_exit_code_survives_a_closed_pipe(code: int, verb: str, unbuffered: str) -> None:
    written = closed_pipe()
    work = call(f"print('figures'); return {code}", verb=verb)
    shell = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    done = subprocess.run(work, stdout=written, stderr=subprocess.PIPE, env=shell, check=False)
    os.close(written)
    assert (done.returncode, done.stderr) == (code, b"")


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["report", "--help"]])
def test_help_that_a_full_disk_does_not_take_is_an_error(words: list[str]) -> None:
    command = [sys.executable, "-c", "from robossl.cli.main import main; main()", *words]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, check=False)
    assert (done.returncode, done.stderr) == (1, b"robossl: cannot write the output: No space left on device\n")
