"""Whoever reads the log may go away, or never have been there: the work is done, and the exit code is its own."""

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


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_work_whose_log_nobody_reads_any_more_goes_on_to_its_end(tmp_path: Path, unbuffered: str) -> None:
    written = closed_pipe()
    shell = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    command = call(_LOGGED, tmp_path / "saved")
    done = subprocess.run(command, stdout=written, stderr=written, env=shell, check=False)
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


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_work_is_done_and_keeps_its_files_though_streams_are_closed(tmp_path: Path, closed: str) -> None:
    command = call(f'opened = open(sys.argv[2], "w"){_LOGGED}', tmp_path / "saved", tmp_path / "opened")
    done = subprocess.run(["sh", "-c", f'exec "$@" {closed}', "sh", *command], capture_output=True, check=False)
    assert done.returncode == 3
    assert b"Traceback" not in done.stderr
    assert (tmp_path / "saved").read_text() == "the agent"
    assert (tmp_path / "opened").read_text() == ""  # it has not been given the number of a stream that is written to


def test_a_result_that_a_full_disk_does_not_take_is_an_error() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(call("print('figures'); return 0"), stdout=full, stderr=subprocess.PIPE, check=False)
        assert (done.returncode, done.stderr) == (
            1,
            b"robossl: cannot write the output: No space left on device\n",
        )
        done = subprocess.run(call("print('figures', file=sys.stderr); return 0"), stderr=full, check=False)
        assert done.returncode == 0


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["report", "--help"]])
def test_help_that_a_full_disk_does_not_take_is_an_error(words: list[str]) -> None:
    command = [sys.executable, "-c", "from robossl.cli.main import main; main()", *words]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, check=False)
    assert (done.returncode, done.stderr) == (1, b"robossl: cannot write the output: No space left on device\n")
