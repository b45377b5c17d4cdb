import numpy as np
import pytest
from google.protobuf import text_format
from PIL import Image
from tensorboard.plugins.projector.projector_config_pb2 import ProjectorConfig

from robossl.training import projector
from robossl.training.projector import write_projector


def write(folder, count, size=(12, 16)):
    generator = np.random.default_rng(0)
    vectors = generator.normal(size=(count, 5)).astype(np.float32)
    thumbnails = np.broadcast_to(np.arange(count, dtype=np.uint16)[:, None, None, None] % 251, (count, *size, 3))
    metadata = {"episode": list(range(count)), "reward": [0.125] * count}
    write_projector(folder, "eval/latents", vectors, metadata, thumbnails.astype(np.uint8))
    config = text_format.Parse((folder / "projector_config.pbtxt").read_text(), ProjectorConfig())
    return vectors, config.embeddings[0]


def test_all_files_have_the_same_rows_and_are_found_from_the_log_folder(tmp_path):
    vectors, entry = write(tmp_path, 10)
    assert entry.tensor_name == "eval/latents"
    np.testing.assert_allclose(np.loadtxt(tmp_path / entry.tensor_path, delimiter="\t"), vectors, rtol=1e-5)
    header, *rows = (tmp_path / entry.metadata_path).read_text().splitlines()
    assert header.split("\t") == ["episode", "reward"]
    assert rows == [f"{i}\t0.125" for i in range(10)]
    sprite = np.asarray(Image.open(tmp_path / entry.sprite.image_path))
    assert entry.sprite.single_image_dim == [16, 16]
    cells = sprite[8::16, 8::16, 0].flatten()
    assert cells[:10].tolist() == list(range(10))


def test_a_point_gets_its_own_picture_from_the_pages_shader(tmp_path):
    _, entry = write(tmp_path, 10)
    sprite = np.asarray(Image.open(tmp_path / entry.sprite.image_path))
    per_column, per_row = sprite.shape[0] // 16, sprite.shape[1] // 16
    shown = [sprite[16 * (i // per_column) + 8, 16 * (i % per_row) + 8, 0] for i in range(10)]
    assert shown == list(range(10))


@pytest.mark.parametrize(("size", "covered"), [((12, 16), np.s_[2:14, :]), ((16, 8), np.s_[:, 4:12])])
def test_a_picture_keeps_its_shape_in_a_square_that_is_transparent_around_it(tmp_path, size, covered):
    _, entry = write(tmp_path, 1, size)
    alpha = np.asarray(Image.open(tmp_path / entry.sprite.image_path))[..., 3]
    expected = np.zeros((16, 16))
    expected[covered] = 255
    np.testing.assert_array_equal(alpha, expected)


@pytest.mark.parametrize(("count", "size", "limit_px"), [(3, (480, 640), 8192), (150, (64, 64), 512)])
def test_the_sprite_stays_within_what_the_page_accepts(tmp_path, monkeypatch, count, size, limit_px):
    assert projector._MAX_SPRITE_PX == 8192
    monkeypatch.setattr(projector, "_MAX_SPRITE_PX", limit_px)
    _, entry = write(tmp_path, count, size)
    image = Image.open(tmp_path / entry.sprite.image_path)
    width, height = entry.sprite.single_image_dim
    assert max(image.size) <= limit_px
    assert max(width, height) <= 64
    assert (image.size[0] // width) * (image.size[1] // height) >= count


def test_without_pictures_there_is_no_sprite(tmp_path):
    write_projector(tmp_path, "a", np.zeros((2, 3), np.float32), {"x": [1, 2], "note": ["a\tb", "c\nd"]})
    assert "sprite" not in (tmp_path / "projector_config.pbtxt").read_text()
    assert (tmp_path / "projector" / "metadata.tsv").read_text() == "x\tnote\n1\ta b\n2\tc d\n"


def test_counts_that_differ_are_refused(tmp_path):
    with pytest.raises(ValueError, match="2 vectors need as many entries"):
        write_projector(tmp_path, "a", np.zeros((2, 3), np.float32), {"x": [1, 2], "y": [1]})
    assert list(tmp_path.iterdir()) == []
