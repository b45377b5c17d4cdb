import torch

from robossl.data import WindowBatch


def test_a_step_of_a_window_is_its_observations_at_that_time():
    batch = WindowBatch(
        obs={"proprio": torch.arange(12).view(2, 3, 2)},
        action=torch.zeros(2, 2, 1),
        reward=torch.zeros(2, 2),
        terminated=torch.zeros(2, 2, dtype=torch.bool),
        mask=torch.ones(2, 3, dtype=torch.bool),
    )
    assert batch.step(1)["proprio"].tolist() == [[2, 3], [8, 9]]
    assert batch.step(-1)["proprio"].tolist() == [[4, 5], [10, 11]]
    assert batch.device == torch.device("cpu")
