import pytest
import torch

from robossl.agents import memory
from robossl.core import UserError


def test_what_fits_passes_and_what_does_not_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "available_bytes", lambda device: 10 * 2**30)
    memory.require_memory(8 * 2**30, torch.device("cpu"), what="a replay")
    with pytest.raises(
        UserError, match=r"a replay needs 9.0 GiB, but only 10.0 GiB are free on cpu \(80% may be used\)"
    ):
        memory.require_memory(9 * 2**30, torch.device("cpu"), what="a replay")


def test_free_memory_of_the_processor_is_the_system_s(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("robossl.core.memory.available_bytes", lambda: 70)
    assert memory.available_bytes(torch.device("cpu")) == 70


def test_an_unknown_system_refuses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("robossl.core.memory.available_bytes", lambda: None)
    memory.require_memory(2**60, torch.device("cpu"), what="a replay")
