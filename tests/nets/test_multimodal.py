import copy

import pytest
import torch

from robossl.core.errors import UserError
from robossl.nets import EncoderConfig, MultimodalEncoder, encode_window, seeded_init
from robossl.nets.image import conv_size, nearness, scaling_of

RING = {"rgb_front": ((9, 27, 48), "uint8")}
ARM = {"proprio": ((14,), "float32"), "rgb_static": ((3, 64, 64), "uint8"), "depth_wrist": ((1, 32, 32), "float32")}


def make(observation, seed=0, **sizes):
    with seeded_init(seed):
        return MultimodalEncoder(observation, EncoderConfig(**sizes))


def draw(observation, batch, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return {
        key: torch.randint(0, 256, (batch, *shape), generator=generator, dtype=torch.uint8)
        if dtype == "uint8"
        else torch.randn(batch, *shape, generator=generator).abs()
        for key, (shape, dtype) in observation.items()
    }


def test_features_are_pictures_first_then_vectors_and_bounded():
    encoder, obs = make(ARM, image_features=20, vector_features=7), draw(ARM, 5)
    features = encoder(obs)
    assert features.shape == (5, 47) == (5, encoder.features_dim)
    assert encoder.pictures_dim == 40
    assert features.abs().max() < 1
    torch.testing.assert_close(features[:, :20], encoder.images["rgb_static"](obs["rgb_static"]))
    torch.testing.assert_close(features[:, 20:40], encoder.images["depth_wrist"](obs["depth_wrist"]))
    torch.testing.assert_close(features[:, 40:], encoder.vectors(obs["proprio"]))
    assert torch.equal(encoder.encode_pictures(obs), features[:, :40])


def test_equals_a_plain_network_written_out():
    encoder, obs = make(RING), draw(RING, 3)
    images, state = obs["rgb_front"].double(), {k: v.double() for k, v in encoder.state_dict().items()}
    x = images / 255 - 0.5
    for layer, stride in ((0, 3), (2, 2), (4, 1)):
        name = f"images.rgb_front.convolutions.{layer}"
        x = torch.conv2d(x, state[f"{name}.weight"], state[f"{name}.bias"], stride).clamp(min=0)
    head = "images.rgb_front.head"
    x = x.reshape(3, -1) @ state[f"{head}.0.weight"].T + state[f"{head}.0.bias"]
    x = (x - x.mean(1, keepdim=True)) / (x.var(1, correction=0, keepdim=True) + 1e-5).sqrt()
    expected = torch.tanh(x * state[f"{head}.1.weight"] + state[f"{head}.1.bias"])
    torch.testing.assert_close(encoder(obs).double(), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("observation", [RING, ARM])
def test_bytes_and_floats_of_the_same_colours_encode_alike_and_stay_untouched(observation, layout):
    encoder, obs = make(observation), draw(observation, 4)
    as_float = {key: value.float() for key, value in obs.items()}
    as_float = {
        key: value.contiguous(memory_format=layout) if value.ndim == 4 else value for key, value in as_float.items()
    }
    before = {key: value.clone() for key, value in as_float.items()}
    assert torch.equal(encoder(obs), encoder(as_float))
    for key, value in as_float.items():
        assert torch.equal(value, before[key])


def test_memory_layout_of_pictures_does_not_matter():
    encoder, obs = make(RING), draw(RING, 4)
    other = {"rgb_front": obs["rgb_front"].contiguous(memory_format=torch.channels_last)}
    assert torch.equal(encoder(obs), encoder(other))


def test_depth_is_bounded_and_where_nothing_is_as_far_as_can_be():
    depth_m = torch.tensor([1e-9, 1.0, float("inf"), 0.0, -1.0, -float("inf")])
    assert nearness(depth_m).tolist() == [-0.5, 0.0, 0.5, 0.5, 0.5, 0.5]
    assert nearness(torch.tensor([float("nan")])).isnan().all()


@pytest.mark.parametrize(
    ("key", "raw", "scaled"),
    [
        ("normals_front", [-1.0, -0.5, 0.0, 1.0], [-0.5, -0.25, 0.0, 0.5]),
        ("flow_front", [-1e6, -1.0, 0.0, 1.0, 3.0], [-0.5, -0.25, 0.0, 0.25, 0.375]),
        ("depth_front", [0.0, 1.0, 3.0], [0.5, 0.0, 0.25]),
        ("camera", [0.0, 1.0, 3.0], [0.5, 0.0, 0.25]),
    ],
)
def test_a_picture_is_scaled_by_what_its_key_says(key, raw, scaled):
    torch.testing.assert_close(scaling_of(key, "float32")(torch.tensor(raw)), torch.tensor(scaled))


def test_an_encoder_takes_the_scaling_of_each_key():
    observation = {key: ((1, 32, 32), "float32") for key in ("depth_a", "normals_a", "flow_a", "camera")}
    images = make({**observation, "rgb_flow": ((3, 32, 32), "uint8")}).images
    assert {key: image.scaling for key, image in images.items()} == {
        **{key: scaling_of(key, "float32") for key in observation},
        "rgb_flow": scaling_of("rgb_flow", "uint8"),
    }
    assert images["flow_a"].scaling is not images["depth_a"].scaling is not images["normals_a"].scaling


def test_raw_vectors_pass_on():
    observation = {"proprio": ((3,), "float32"), "goal": ((2,), "float32")}
    encoder, obs = make(observation, vector_features=None), draw(observation, 4)
    assert encoder.features_dim == 5
    assert torch.equal(encoder(obs), torch.cat([obs["proprio"], obs["goal"]], dim=-1))


def test_a_window_is_encoded_step_by_step():
    encoder, obs = make(RING), draw(RING, 6)
    window = {"rgb_front": obs["rgb_front"].view(2, 3, 9, 27, 48)}
    torch.testing.assert_close(encode_window(encoder, window), encoder(obs).view(2, 3, -1))


def test_a_seed_gives_the_same_weights_and_leaves_the_global_generator_alone():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    first, again, other = make(ARM, seed=1), make(ARM, seed=1), make(ARM, seed=2)
    assert torch.equal(torch.rand(3), expected)
    for (name, a), b, c in zip(first.named_parameters(), again.parameters(), other.parameters(), strict=True):
        assert torch.equal(a, b)
        assert not name.endswith("convolutions.0.weight") or not torch.equal(a, c)


def test_a_copy_is_independent():
    encoder, obs = make(RING), draw(RING, 2)
    copied = copy.deepcopy(encoder)
    before = encoder(obs)
    with torch.no_grad():
        next(copied.parameters()).add_(1.0)
    assert torch.equal(encoder(obs), before)
    assert not torch.equal(copied(obs), before)


@pytest.mark.parametrize("keys", [("proprio",), ("rgb_static", "depth_wrist")])
def test_a_frozen_encoder_keeps_weights_and_statistics_until_it_is_freed(keys):
    observation = {key: ARM[key] for key in keys}
    encoder, obs = make(observation), draw(observation, 4)
    encoder.freeze()
    assert not encoder(obs).requires_grad
    encoder.freeze(False)
    assert encoder(obs).requires_grad


def test_a_frozen_encoder_of_pictures_and_vectors_learns_the_vectors_that_no_objective_trained():
    encoder, obs = make(ARM), draw(ARM, 4)
    encoder.freeze()
    encoder.observe(obs)
    assert encoder.vector_norm.count == 0
    encoder(obs).sum().backward()
    assert all(parameter.grad is None for parameter in encoder.images.parameters())
    assert all(parameter.grad.abs().sum() > 0 for parameter in encoder.vectors.parameters())
    encoder.freeze(False)
    encoder.observe(obs)
    assert encoder.vector_norm.count == 4
    assert encoder(obs).requires_grad


def test_gradients_reach_every_weight():
    encoder = make(ARM)
    encoder(draw(ARM, 4)).pow(2).sum().backward()
    assert all(parameter.grad is not None and parameter.grad.abs().sum() > 0 for parameter in encoder.parameters())


def test_weights_stay_contiguous_for_orthogonal_init_and_safetensors():
    encoder = make(RING)
    encoder(draw(RING, 2)).sum().backward()
    assert all(parameter.is_contiguous() for parameter in encoder.parameters())


@pytest.mark.parametrize(("size", "left"), [(27, 1), (48, 5), (64, 7), (26, 1), (25, 1), (22, 0)])
def test_conv_size_agrees_with_torch(size, left):
    kernels, strides = (5, 3, 3), (3, 2, 1)
    if left == 0:
        with pytest.raises(ValueError, match="22 pixels are too few"):
            conv_size(size, kernels, strides)
        return
    x = torch.zeros(1, 1, size, size)
    for kernel, stride in zip(kernels, strides, strict=True):
        x = torch.conv2d(x, torch.zeros(1, 1, kernel, kernel), stride=stride)
    assert conv_size(size, kernels, strides) == x.shape[-1] == left


def test_a_series_of_vectors_is_encoded_as_one_vector():
    series = {"force_torque": ((16, 6), "float32"), "proprio": ((5,), "float32")}
    encoder, flat = make(series), make({"force_torque": ((96,), "float32"), "proprio": ((5,), "float32")})
    obs = draw(series, 3)
    encoder.observe(obs)
    flat.observe({**obs, "force_torque": obs["force_torque"].reshape(3, 96)})
    torch.testing.assert_close(encoder(obs), flat({**obs, "force_torque": obs["force_torque"].reshape(3, 96)}))


def test_a_picture_too_small_is_named():
    with pytest.raises(UserError, match=r"'rgb_tiny' of 12x48 pixels cannot be encoded: 12 pixels are too few"):
        make({"rgb_tiny": ((3, 12, 48), "uint8")})


@pytest.mark.parametrize(
    ("observation", "message"),
    [
        ({}, "at least one observation"),
        ({"segmentation_top": ((1, 64, 64), "int32")}, "'segmentation_top' is int32"),
        ({"bytes": ((4,), "uint8")}, "'bytes' is uint8"),
        ({"grid": ((4, 4), "uint8")}, "'grid' is uint8"),
    ],
)
def test_what_cannot_be_encoded_is_named(observation, message):
    with pytest.raises(UserError, match=message):
        make(observation)


@pytest.mark.parametrize("sizes", [{"kernels": (3,)}, {"channels": ()}, {"image_features": 0}, {"vector_features": 0}])
def test_wrong_sizes_are_refused(sizes):
    with pytest.raises(UserError, match="encoder:"):
        EncoderConfig(**sizes)
