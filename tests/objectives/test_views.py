import pytest
import torch

from robossl.core.errors import UserError
from robossl.objectives.views import ViewConfig, make_view, make_window_view


def observation(batch=6, frames=3):
    generator = torch.Generator().manual_seed(0)
    return {
        "rgb_front": torch.randint(0, 256, (batch, 3 * frames, 12, 16), dtype=torch.uint8, generator=generator),
        "depth_front": torch.rand(batch, 1, 12, 16, generator=generator) * 5,
        "proprio": torch.randn(batch, 4, generator=generator),
    }


def view(obs, seed=1, **options):
    return make_view(obs, ViewConfig(**options), torch.Generator().manual_seed(seed), ("rgb_front",))


@pytest.mark.parametrize("options", [{}, {"shift_px": 0}, {"jitter": 0.0}, {"crop_area": 0.3}])
def test_pictures_change_in_value_not_in_kind_and_vectors_never(options):
    obs = observation()
    seen = view(obs, **options)
    assert seen["proprio"] is obs["proprio"]
    assert not torch.equal(seen["rgb_front"], obs["rgb_front"])
    assert {key: (value.shape, value.dtype) for key, value in seen.items()} == {
        key: (value.shape, value.dtype) for key, value in obs.items()
    }


def test_without_options_nothing_changes():
    obs = observation()
    seen = view(obs, shift_px=0, jitter=0.0)
    assert all(torch.equal(seen[key], obs[key]) for key in obs)


def test_colour_changes_leave_distances_alone():
    obs = observation()
    assert torch.equal(view(obs, shift_px=0)["depth_front"], obs["depth_front"])


def test_a_still_stack_stays_still():
    obs = observation(frames=1)
    still = {"rgb_front": obs["rgb_front"].repeat(1, 3, 1, 1)}
    first, second, third = view(still, crop_area=0.4)["rgb_front"].chunk(3, dim=1)
    assert torch.equal(first, second)
    assert torch.equal(first, third)


def test_samples_differ_and_a_seed_repeats():
    same = {"rgb_front": observation()["rgb_front"][:1].repeat(8, 1, 1, 1)}
    seen = view(same)["rgb_front"]
    assert len({tuple(sample.flatten().tolist()) for sample in seen}) > 4
    assert torch.equal(seen, view(same)["rgb_front"])
    assert not torch.equal(seen, view(same, seed=2)["rgb_front"])


def test_a_still_window_stays_still():
    obs = observation()
    window = {key: value[:, None].repeat(1, 4, *[1] * (value.ndim - 1)) for key, value in obs.items()}
    seen = make_window_view(window, ViewConfig(), torch.Generator().manual_seed(1), ("rgb_front",))
    assert torch.equal(seen["proprio"], window["proprio"])
    for key in ("rgb_front", "depth_front"):
        assert seen[key].shape == window[key].shape
        assert torch.equal(seen[key], seen[key][:, :1].expand_as(seen[key]))
        assert not torch.equal(seen[key], window[key])


@pytest.mark.parametrize(
    "options",
    [
        {"shift_px": -1},
        {"jitter": 1.5},
        {"crop_area": 0.0},
        {"crop_area": 0.5, "crop_stretch": 0.9},
        {"crop_area": 0.5, "crop_stretch": float("inf")},
    ],
)
def test_wrong_options_are_refused(options):
    with pytest.raises(UserError, match="view: needs"):
        ViewConfig(**options)


@pytest.mark.parametrize(
    ("fits", "does_not", "message"),
    [
        ({"shift_px": 11}, {"shift_px": 12}, "view: shift_px must be at most 11, a pixel less than .*: got 12"),
        (
            {"crop_area": 0.01},
            {"crop_area": 0.009},
            "crop_area / crop_stretch must be at least 1 / 144, got 0.009 / 1.3",
        ),
        ({"crop_area": 1 / 144, "crop_stretch": 1}, {"crop_area": 0.0069, "crop_stretch": 1}, "at least 1 / 144, got"),
        ({"crop_area": 0.5, "crop_stretch": 72}, {"crop_area": 0.5, "crop_stretch": 73}, "got 0.5 / 73"),
    ],
)
def test_views_that_may_show_nothing_of_a_picture_are_refused(fits, does_not, message):
    shapes = {key: (tuple(value.shape[1:]), "uint8") for key, value in observation().items()}
    ViewConfig(**fits).require_fit(shapes)
    with pytest.raises(UserError, match=message):
        ViewConfig(**does_not).require_fit(shapes)


def test_colours_vary_of_the_pictures_that_have_some_alone():
    generator = torch.Generator().manual_seed(0)
    obs = {key: torch.full((4, 3, 8, 8), 90, dtype=torch.uint8) for key in ("rgb", "grey")}
    seen = make_view(obs, ViewConfig(shift_px=0), generator, ("rgb",))
    assert torch.equal(seen["grey"], obs["grey"])
    assert not torch.equal(seen["rgb"], obs["rgb"])


def test_distances_of_a_camera_stay_with_its_colours():
    picture = torch.randint(0, 256, (16, 1, 12, 16), generator=torch.Generator().manual_seed(0)).float()
    seen = view({"depth_front": picture, "normals_front": picture.repeat(1, 3, 1, 1)}, crop_area=0.5)
    assert torch.equal(seen["normals_front"], seen["depth_front"].expand(-1, 3, -1, -1))
