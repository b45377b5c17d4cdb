import math

import pytest
import torch
import torch.nn.functional as F

from robossl.objectives.temporal_order import ORDERS, draw_orders, in_order, order_labels

NUM = 60_000


def draw(balanced=False, reversal_equivalent=False, num=NUM, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return draw_orders(num, generator, balanced=balanced, reversal_equivalent=reversal_equivalent)


@pytest.mark.parametrize(
    ("balanced", "reversal_equivalent", "share"),
    [(False, False, 5 / 6), (False, True, 4 / 6), (True, False, 1 / 2), (True, True, 1 / 2)],
)
def test_share_of_disordered_moments(balanced, reversal_equivalent, share):
    _, labels = draw(balanced, reversal_equivalent)
    assert labels.mean().item() == pytest.approx(share, abs=4 * math.sqrt(share * (1 - share) / NUM))


def test_only_the_chronological_order_is_the_reference():
    orders, labels = draw(num=500)
    chronological = [order == [0, 1, 2] for order in orders.tolist()]
    assert (labels == 0).tolist() == chronological


def test_with_reversal_the_middle_moment_alone_decides():
    orders, labels = draw(num=500, reversal_equivalent=True)
    assert (labels == 0).tolist() == [order[1] == 1 for order in orders.tolist()]


def test_orders_of_one_class_are_equally_likely():
    orders, labels = draw(balanced=True)
    disordered = orders[labels == 1]
    counts = [(disordered == torch.tensor(order)).all(dim=1).sum().item() for order in ORDERS[1:]]
    assert min(counts) > 0.95 * len(disordered) / 5


def test_identical_moments_leave_the_entropy_of_the_labels():
    _, labels = draw()
    best = F.binary_cross_entropy_with_logits(torch.full((NUM,), math.log(5.0)), labels)
    assert best.item() == pytest.approx(0.4506, abs=0.006)


def test_moments_are_put_in_order():
    latents = torch.tensor([[[1.0, 1.5], [2.0, 2.5], [3.0, 3.5]]] * 2)
    joined = in_order(latents, torch.tensor([[0, 1, 2], [2, 0, 1]]))
    assert joined.tolist() == [[1.0, 1.5, 2.0, 2.5, 3.0, 3.5], [3.0, 3.5, 1.0, 1.5, 2.0, 2.5]]


def test_a_seed_repeats_the_orders():
    assert torch.equal(draw(seed=4)[0], draw(seed=4)[0])
    assert not torch.equal(draw(seed=4)[0], draw(seed=5)[0])
    assert order_labels(reversal_equivalent=False).sum() == 5
