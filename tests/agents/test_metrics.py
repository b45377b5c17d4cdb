import torch

from robossl.agents.metrics import Means


def test_means_are_over_what_was_reported() -> None:
    means = Means()
    means.add({"a": torch.tensor(1.0), "b": torch.tensor([4.0])})
    means.add({"a": torch.tensor(2.0)})
    assert means.read() == {"a": 1.5, "b": 4.0}


def test_nothing_reported_reads_empty() -> None:
    assert Means().read() == {}


def test_no_graph_is_kept() -> None:
    means = Means()
    weight = torch.ones((), requires_grad=True)
    means.add({"loss": weight * 2})
    assert not next(iter(means._sums.values())).requires_grad
