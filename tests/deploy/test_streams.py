"""Whoever reads the output may go away, or never have been there: the work is done, and the exit code is its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

_CALL = """
import sys
from pathlib import Path
from robossl.deploy.streams import exit_code, outlast_readers

def work():
    {work}

output = outlast_readers()
sys.exit(exit_code(work(), output))
"""
_LOGGED = """
    for _ in range(10):
        print("a table", flush=True)
        print("a log", file=sys.stderr)
    Path(sys.argv[1]).write_text("the agent")
    return 3
"""


def call(work: str, *words: object) -> list[str]:
    return [sys.executable, "-c", _CALL.format(work=work.strip()), *map(str, words)]


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


@pytest.mark.parametrize(("words", "code"), [(["--help"], 0), (["nowhere", "--profile", "small_base"], 1), ([], 2)])
def test_the_exit_code_of_the_bridge_survives_a_reader_that_is_gone(words: list[str], code: int) -> None:
    written = closed_pipe()
    command = [sys.executable, "-m", "robossl.deploy", *words]
    shell = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    done = subprocess.run(command, stdout=written, stderr=written, env=shell, check=False)
    os.close(written)
    assert done.returncode == code


def test_help_of_the_bridge_that_a_full_disk_does_not_take_is_an_error() -> None:
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "robossl.deploy", "--help"]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, check=False)
    assert (done.returncode, done.stderr) == (1, b"robossl: cannot write the output: No space left on device\n")
