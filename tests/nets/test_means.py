import math

import torch

from robossl.nets.means import Means


def test_means_are_over_what_was_reported() -> None:
    means = Means()
    means.add({"a": torch.tensor(1.0), "b": torch.tensor([4.0])})
    means.add({"a": torch.tensor(2.0)})
    assert means.read() == {"a": 1.5, "b": 4.0}


def test_what_is_nan_is_not_counted_and_left_out_where_it_always_was() -> None:
    means, nan = Means(), float("nan")
    for a, b in ((1.0, nan), (nan, nan), (2.0, nan)):
        means.add({"a": torch.tensor(a), "b": torch.tensor(b)})
    assert means.read() == {"a": 1.5}


def test_a_loss_of_an_agent_that_went_astray_is_told() -> None:
    means, nan = Means(), float("nan")
    for loss in (1.0, nan):
        means.add({"train/loss": torch.tensor(loss), "aux/a_loss": torch.tensor(loss)})
    read = means.read()
    assert read["aux/a_loss"] == 1.0
    assert math.isnan(read["train/loss"])


def test_restored_sums_go_on_bit_for_bit() -> None:
    through, resumed = Means(), Means()
    values = [{"a": torch.tensor(0.1)}, {"a": torch.tensor(0.2), "b": torch.tensor(0.7)}, {"a": torch.tensor(0.3)}]
    for value in values:
        through.add(value)
    half = Means()
    half.add(values[0])
    half.add(values[1])
    resumed.set_state(half.get_state(), torch.device("cpu"))
    resumed.add(values[2])
    assert resumed.read() == through.read()


def test_nothing_reported_reads_empty() -> None:
    assert Means().read() == {}


def test_no_graph_is_kept() -> None:
    means = Means()
    weight = torch.ones((), requires_grad=True)
    means.add({"loss": weight * 2})
    assert not next(iter(means._sums.values())).requires_grad
