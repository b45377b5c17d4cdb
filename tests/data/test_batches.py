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


def test_rgb_pictures_are_known_by_their_channels_before_they_were_stacked():
    channels = {"rgb": 9, "grey": 3, "rgba": 12}
    obs = {key: torch.zeros(2, 1, number, 4, 4, dtype=torch.uint8) for key, number in channels.items()}
    obs |= {"normals": torch.zeros(2, 1, 9, 4, 4), "proprio": torch.zeros(2, 1, 9)}
    none = torch.zeros(2, 0)
    batch = WindowBatch(
        obs=obs, action=none, reward=none, terminated=none, mask=torch.ones(2, 1, dtype=torch.bool), frame_stack=3
    )
    assert batch.coloured == ("rgb",)
