"""`python -m robossl.deploy` whose output nobody takes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize(("words", "code"), [(["--help"], 0), (["nowhere", "--profile", "small_base"], 1), ([], 2)])
def test_the_exit_code_survives_a_reader_that_is_gone(words: list[str], code: int) -> None:
    read, written = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "robossl.deploy", *words]
    shell = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    done = subprocess.run(command, stdout=written, stderr=written, env=shell, check=False)
    os.close(written)
    assert done.returncode == code


def test_help_that_a_full_disk_does_not_take_is_an_error() -> None:
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "robossl.deploy", "--help"]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, check=False)
    assert (done.returncode, done.stderr) == (1, b"robossl: cannot write the output: No space left on device\n")
