import json

import pytest
import torch

from robossl.core.errors import CorruptFileError, UserError
from robossl.nets import EncoderConfig, MultimodalEncoder, load_encoder, save_encoder, seeded_init

OBSERVATION = {"rgb_front": ((3, 27, 48), "uint8"), "proprio": ((4,), "float32")}


@pytest.fixture
def saved(tmp_path):
    with seeded_init(3):
        encoder = MultimodalEncoder(OBSERVATION, EncoderConfig(image_features=8, vector_features=None))
    save_encoder(encoder, tmp_path / "encoder")
    return encoder, tmp_path / "encoder"


def test_an_encoder_comes_back_the_same(saved):
    encoder, folder = saved
    loaded = load_encoder(folder, OBSERVATION)
    assert (loaded.config, loaded.observation) == (encoder.config, encoder.observation)
    assert loaded.state_dict().keys() == encoder.state_dict().keys()
    assert all(torch.equal(value, encoder.state_dict()[name]) for name, value in loaded.state_dict().items())


def test_saving_again_gives_the_same_bytes(saved, tmp_path):
    _, folder = saved
    save_encoder(load_encoder(folder), tmp_path / "again")
    for name in ("encoder.json", "encoder.safetensors"):
        assert (tmp_path / "again" / name).read_bytes() == (folder / name).read_bytes()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rgb_front": ((9, 27, 48), "uint8")}, r"'rgb_front' = uint8\[3, 27, 48\], and here it is uint8\[9, 27, 48\]"),
        ({"goal": ((3,), "float32")}, r"'goal' = absent, and here it is float32\[3\]"),
    ],
)
def test_another_observation_is_named(saved, change, message):
    with pytest.raises(UserError, match=message):
        load_encoder(saved[1], OBSERVATION | change)


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(UserError, match=r"encoder\.json does not exist"):
        load_encoder(tmp_path)


def test_missing_weights_are_named(saved):
    (saved[1] / "encoder.safetensors").unlink()
    with pytest.raises(UserError, match=r"encoder\.safetensors does not exist"):
        load_encoder(saved[1])


def flipped(content):
    return content[:-9] + bytes([content[-9] ^ 1]) + content[-8:]


@pytest.mark.parametrize("damage", [flipped, lambda content: content[:-10], lambda content: b""])
def test_changed_weights_are_named(saved, damage):
    path = saved[1] / "encoder.safetensors"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(CorruptFileError, match=r"encoder\.safetensors is not what was written: its hash differs"):
        load_encoder(saved[1])


def test_weights_of_other_sizes_are_named(saved):
    _change(saved[1], lambda data: data["config"].update(image_features=9))
    with pytest.raises(CorruptFileError, match="size mismatch"):
        load_encoder(saved[1])


def test_a_pickle_in_place_of_the_weights_is_refused(saved):
    torch.save({"a": torch.zeros(1)}, saved[1] / "encoder.safetensors")
    with pytest.raises(CorruptFileError):
        load_encoder(saved[1])


@pytest.mark.parametrize("number", [1, 99])
def test_another_format_is_named(saved, number):
    _change(saved[1], lambda data: data.update(format=number))
    with pytest.raises(UserError, match=f"has format {number}; this version reads format 2"):
        load_encoder(saved[1])


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data["config"].update(colour=3),
        lambda data: data.pop("observation"),
        lambda data: data.pop("format"),
        lambda data: data.pop("sha256"),
        lambda data: data.update(sha256=7),
        lambda data: data.update(observation=[1]),
        lambda data: data["config"].update(channels=3),
    ],
)
def test_a_damaged_description_is_named(saved, change):
    _change(saved[1], change)
    with pytest.raises(CorruptFileError, match=r"encoder\.json does not describe an encoder"):
        load_encoder(saved[1])


def _change(folder, change):
    path = folder / "encoder.json"
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data))
