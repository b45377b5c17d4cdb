import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch

from robossl.core import Array
from robossl.envs.compiled import _tell, _watch, compiled, fused


@compiled
def running_sum(values: Array, out: Array) -> None:
    """Fills `out`."""
    total = 0.0
    for i in range(len(values)):
        total += values[i]
        out[i] = total


@fused
def half_square(xp, x):  # type: ignore[no-untyped-def]
    return 0.5 * xp.square(x)


@fused
def energy(xp, mass, speed, out):  # type: ignore[no-untyped-def]
    out[...] = mass * half_square(xp, xp.maximum(speed, 0.0))


def test_a_compiled_function_adds_in_the_order_that_is_written() -> None:
    values = np.random.default_rng(0).normal(size=1000)
    out = np.zeros(1000)
    running_sum(values, out)
    assert (out == values.cumsum()).all()


def test_a_fused_function_is_the_same_in_numpy_and_in_torch() -> None:
    mass, speed = np.array([1.0, 2.0, 3.0]), np.array([-1.0, 0.5, 4.0])
    ours, theirs = np.zeros(3), torch.zeros(3, dtype=torch.float64)
    energy(np, mass, speed, ours)
    torch_maximum = type("Torch", (), {"maximum": lambda x, y: x.clamp(min=y), "square": torch.square})
    energy(torch_maximum, torch.tensor(mass), torch.tensor(speed), theirs)
    assert ours == pytest.approx(theirs.numpy())
    assert ours.tolist() == [0.0, 0.25, 24.0]


def test_what_is_not_understood_is_said_at_the_first_call() -> None:
    @compiled
    def wrong(x: Array) -> Array:
        return np.no_such_function(x)  # type: ignore[attr-defined]

    with pytest.raises(Exception, match="no_such_function"):
        wrong(np.zeros(3))


def test_where_nothing_can_be_kept_it_is_compiled_all_the_same() -> None:
    scope = {"compiled": compiled}
    exec("@compiled\ndef twice(x):\n    return 2 * x\n", scope)  # numba finds no folder for what is in no file
    assert scope["twice"](4) == 8  # type: ignore[operator]


class Cache:
    """What numba keeps of a function, as far as it is watched; there is nothing in it."""

    def __init__(self, path: Path) -> None:
        self.cache_path, self.saved = str(path), list[str]()

    def load_overload(self, name: str) -> None:
        return None

    def save_overload(self, name: str) -> None:
        self.saved.append(name)


def test_saving_takes_turns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved_within: list[list[str]] = []

    @contextmanager
    def lock(path: Path, wait: object) -> Iterator[None]:
        before = list(cache.saved)
        yield
        saved_within.append(cache.saved[len(before) :])

    cache = Cache(tmp_path)
    monkeypatch.setattr("robossl.envs.compiled.exclusive", lock)
    _watch(cache)
    cache.save_overload("a")
    assert saved_within == [["a"]]


def test_what_cannot_be_saved_runs_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("numba.core.caching.IndexDataCacheFile.save", fail)

    @compiled
    def thrice(x: float) -> float:
        return 3 * x

    assert thrice(4.0) == 12.0


@pytest.mark.parametrize("is_person", [False, True])
def test_a_person_is_told_once_what_takes_so_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], is_person: bool
) -> None:
    cache = Cache(tmp_path)
    _watch(cache)
    _tell.cache_clear()
    monkeypatch.setattr("sys.stderr.isatty", lambda: is_person)
    assert [cache.load_overload(name) for name in "ab"] == [None, None]
    assert capsys.readouterr().err.count("compiling") == is_person


@compiled
def _roots(num: int) -> tuple[Array, Array]:
    total, last = np.zeros(1), np.zeros(1)
    for i in range(num):
        last[0] = np.sqrt(i)
        total[0] += last[0]
    return total, last


def test_a_signal_while_compiled_code_runs_is_heard_after_it() -> None:
    class RungError(Exception):
        pass

    def ring(*_: object) -> None:
        raise RungError

    _roots(1)
    before = signal.signal(signal.SIGALRM, ring)
    try:
        for _ in range(3):
            signal.setitimer(signal.ITIMER_REAL, 0.01)
            with pytest.raises(RungError):
                _roots(100_000_000)  # 0.1 s and more
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
