import pytest
import torch
import torch.nn.functional as F

from robossl.data import photometric, random_resized_crop, random_shift
from robossl.data.augment import RGB_TO_GREY, _shift_by_index, cropped_alike, shifted_alike


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def pictures(batch_size=16, channels=9, height=11, width=14, seed=0):
    return torch.randint(256, (batch_size, channels, height, width), generator=generator(seed), dtype=torch.uint8)


def padded_crops(images, pad):
    """All crops of the replicate-padded pictures, [(2 pad + 1)^2, B, C, H, W]."""
    padded = F.pad(images.float(), (pad,) * 4, mode="replicate")
    height, width = images.shape[2:]
    return torch.stack(
        [padded[:, :, y : y + height, x : x + width] for y in range(2 * pad + 1) for x in range(2 * pad + 1)]
    )


@pytest.mark.parametrize("pad", [1, 4])
def test_a_shift_is_a_crop_of_the_replicate_padded_picture(pad):
    images = pictures(batch_size=400, height=9, width=10)
    shifted = random_shift(images, pad, generator())
    matches = (padded_crops(images, pad) == shifted.float()).all(dim=(2, 3, 4))
    assert (matches.sum(dim=0) == 1).all()
    counts = matches.sum(dim=1)
    expected = 400 / len(counts)
    assert ((counts - expected) ** 2 / expected).sum() < 1.6 * len(counts)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
@pytest.mark.parametrize("pad", [1, 4, 20])
def test_both_ways_of_shifting_agree(dtype, pad):
    images = pictures().to(dtype)
    down, right = torch.randint(2 * pad + 1, (2, 16), generator=generator(3)) - pad
    shifted = random_shift(images, pad, generator(3))
    assert shifted.dtype == dtype
    assert torch.equal(shifted, _shift_by_index(images, down, right))


def test_a_shift_by_nothing_changes_nothing():
    assert torch.equal(random_shift(pictures(), 0, generator()), pictures())


def test_a_shift_takes_pictures_in_any_memory_format():
    images = pictures()
    strided = images.contiguous(memory_format=torch.channels_last)
    assert torch.equal(random_shift(strided, 3, generator()), random_shift(images, 3, generator()))


@pytest.mark.parametrize(
    "augment",
    [
        lambda x, g: random_shift(x, 3, g),
        lambda x, g: photometric(x, g, brightness=0.4, contrast=0.4, saturation=0.4),
        lambda x, g: random_resized_crop(x, g, min_area=0.3, max_stretch=1.3),
    ],
)
def test_all_frames_of_a_stack_are_treated_alike_and_samples_are_not(augment):
    frame = pictures(batch_size=1, channels=3)
    out = augment(frame.repeat(8, 3, 1, 1), generator())
    assert out.dtype == torch.uint8
    assert out.shape == (8, 9, 11, 14)
    assert torch.equal(out[:, :3], out[:, 3:6])
    assert torch.equal(out[:, :3], out[:, 6:])
    assert len({out[i].numpy().tobytes() for i in range(8)}) > 4
    assert torch.equal(out, augment(frame.repeat(8, 3, 1, 1), generator()))


def test_photometric_without_width_changes_nothing():
    assert torch.equal(photometric(pictures(), generator(), brightness=0, contrast=0, saturation=0), pictures())


def factors(width, seed=0):
    return 1 + width * (2 * torch.rand(3, 16, 1, 1, generator=generator(seed)) - 1)


def test_brightness_scales_all_pixels():
    images = pictures().float() / 2
    bright = factors(0.3)[0][..., None]
    out = photometric(images, generator(), brightness=0.3, contrast=0, saturation=0)
    torch.testing.assert_close(out, images * bright, rtol=1e-5, atol=1e-3)


def grey_of(images):
    weights = torch.tensor(RGB_TO_GREY).view(3, 1, 1)
    return (images.view(len(images), 3, 3, *images.shape[2:]) * weights).sum(dim=2)


def test_contrast_scales_about_the_mean_grey():
    images = pictures().float() / 4 + 80
    contrast = factors(0.3)[1][..., None]
    mean = grey_of(images).mean(dim=(1, 2, 3)).view(-1, 1, 1, 1)
    out = photometric(images, generator(), brightness=0, contrast=0.3, saturation=0)
    torch.testing.assert_close(out, mean + contrast * (images - mean), rtol=1e-5, atol=1e-3)


def test_saturation_keeps_the_grey_and_scales_the_rest():
    images = pictures().float() / 4 + 80
    saturation = factors(0.5)[2][..., None]
    grey = grey_of(images).repeat_interleave(3, dim=1)
    out = photometric(images, generator(), brightness=0, contrast=0, saturation=0.5)
    torch.testing.assert_close(out, grey + saturation * (images - grey), rtol=1e-5, atol=1e-3)
    torch.testing.assert_close(grey_of(out), grey_of(images), rtol=1e-5, atol=1e-3)


def test_colours_stay_in_range():
    white = torch.full((4, 3, 5, 5), 250.0)
    out = photometric(white, generator(), brightness=1, contrast=1, saturation=1)
    assert out.min() >= 0
    assert out.max() <= 255


def test_colour_jitter_needs_whole_rgb_frames():
    with pytest.raises(ValueError, match="got 4 channels"):
        photometric(pictures(channels=4), generator(), brightness=0.1, contrast=0, saturation=0)


def test_a_crop_of_everything_changes_nothing():
    assert torch.equal(random_resized_crop(pictures(), generator(), min_area=1, max_stretch=1), pictures())


def test_a_crop_is_a_rectangle_of_the_size_asked_for():
    height, width = 40, 60
    ramp_x = 4 * torch.arange(width).expand(height, width)
    ramp_y = 6 * torch.arange(height)[:, None].expand(height, width)
    images = torch.stack([ramp_x, ramp_y]).to(torch.uint8).repeat(500, 1, 1, 1)
    out = random_resized_crop(images, generator(), min_area=0.25, max_stretch=1.2).float()
    step_x = (out[:, 0, 20, 50] - out[:, 0, 20, 10]) / (4 * 40)
    step_y = (out[:, 1, 35, 30] - out[:, 1, 5, 30]) / (6 * 30)
    area, stretch = step_x * step_y, step_x / step_y
    assert 0.24 < area.min() < 0.3
    assert 0.9 < area.max() < 1.01
    assert stretch.max() < 1.2 + 0.015
    assert area.mean() == pytest.approx(0.625, abs=0.04)
    assert (out[:, 0].diff(dim=-1) >= 0).all()
    assert (out[:, 0].diff(dim=-2).abs() <= 1).all()


def test_a_crop_of_numbers_that_are_no_colours_has_numbers_of_the_picture_alone():
    images = torch.randn(8, 2, 12, 12, generator=generator()) * 300
    images[:, :, 6:] = float("inf")
    out = random_resized_crop(images, generator(), min_area=0.3, max_stretch=1.3)
    assert not torch.equal(out, images)
    assert torch.isin(out, images).all()
    assert out.min() < 0


@pytest.mark.parametrize(
    "change",
    [
        lambda x, g: shifted_alike(x, 3, g),
        lambda x, g: cropped_alike(x, g, min_area=0.3, max_stretch=1.3),
    ],
)
def test_pictures_of_a_camera_stay_together_and_others_are_changed_for_themselves(change):
    depth, small = pictures(channels=1).float(), pictures(height=14, width=11).float()[:, :1]
    seen = {"depth_front": depth, "normals_front_left": depth.repeat(1, 3, 1, 1)}
    seen |= {"depth_wrist": depth, "flow_front": small}
    out = change(seen, generator())
    assert torch.equal(out["depth_front"].expand(-1, 3, -1, -1), out["normals_front_left"])
    assert torch.equal(out["depth_front"], change({"depth_front": depth}, generator())["depth_front"])
    assert not torch.equal(out["depth_front"], out["depth_wrist"])
    assert not torch.equal(out["flow_front"], change({"flow_front": small}, generator())["flow_front"])
