"""Blocks of small arrays: the same bits come back, and what is no block is refused."""

import zlib

import numpy as np
import pytest

from robossl.data import packing
from robossl.data.packing import pack, unpack


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{}", "not a packed block"),
        (b'{"arrays": [["state", "O", [1]]]}\n12345678', "no array of numbers"),
        (b'{"arrays": [["state", "<f8", [-1]]]}\n12345678', "no array of numbers"),
        (b'{"arrays": [["state", "<f8", [2]]]}\n12345678', "buffer"),
        (b'{"arrays": [["state", "<f8", [1]]]}\n1234567890', "more bytes than arrays"),
        (b'{"arrays": 3}\n', "not a packed block"),
        (b'{"arrays": [["state", "<f8", [99999999999999999999]]]}\n12345678', "are no packed block's"),
        (b'{"columns": [["state", "<f8", [99999999, 99999999]]]}\n\1', "are no packed block's"),
        (b'{"columns": [["state", "<f8", [2, 1]]]}\n\3', "a column of no known kind"),
        (b'{"columns": [["state", "<f8", [2, 1]]]}\n\2\0\0', "a column that repeats none"),
        (b'{"columns": [["a", "<f8", [2]], ["b", "<f4", [3]]]}\n\1\2\0\0' + b"12345678", "a column that repeats none"),
        (b'{"columns": [["a", "<f4", [2]], ["b", "<f8", [2]]]}\n\1\2\0\0' + b"1234", "repeats one of another kind"),
        (b'{"columns": [["state", "<f8", [2, 1]]]}\n\1' + b"1234567", "buffer"),
        (b'{"columns": [["state", "<f8", [2, 1]]]}\n\1' + b"123456789", "more bytes than arrays"),
        (b'{"arrays": ' + b"[" * 100_000 + b"\n", "not a packed block"),
        (b"nothing", "Expecting value"),
    ],
)
def test_a_block_that_holds_something_else_is_refused(content, message):
    with pytest.raises(ValueError, match=message):
        unpack(zlib.compress(content), len(content))
    with pytest.raises(ValueError, match="another size"):
        unpack(zlib.compress(content), len(content) - 1)
    with pytest.raises(ValueError, match="not a packed block"):
        unpack(content, len(content))


def test_a_block_that_would_fill_the_memory_is_neither_written_nor_read(monkeypatch):
    block, num_bytes = pack({"state": np.zeros((9, 4))})
    monkeypatch.setattr(packing, "MAX_BYTES", 287)
    with pytest.raises(ValueError, match="an episode has 288 bytes beside its pictures, 287 fit"):
        pack({"state": np.zeros((9, 4))})
    with pytest.raises(ValueError, match="288 bytes of arrays are no packed block's"):
        unpack(block, num_bytes)
    monkeypatch.setattr(packing, "MAX_BYTES", num_bytes - 1)
    with pytest.raises(ValueError, match=f"{num_bytes} bytes are no packed block's"):
        unpack(block, num_bytes)


@pytest.mark.parametrize("shape", [(5, 0), (0, 3), (2, 0, 3), ()])
def test_what_is_empty_keeps_its_shape(shape):
    assert unpack(*pack({"state": np.zeros(shape)}))["state"].shape == shape


@pytest.mark.parametrize("rows", [1, 2, 3, 40])
def test_every_bit_comes_back_whatever_stands_moves_or_repeats(rows):
    generator = np.random.default_rng(rows)
    state = generator.normal(size=(rows, 9))
    state[:, 1], state[:, 2], state[:, 3] = 0.0, -0.0, 1e300
    state[:, 4], state[:, 5] = np.nan, state[:, 6]
    truth = state[:, [0, 7, 1, 2, 5]].astype(np.float32)
    arrays = {
        "state": state,
        "obs/truth": truth,
        "obs/one": np.nextafter(truth[:, :2], np.float32(9)),
        "obs/vector": state[:, 8].astype(np.float32),
        "obs/block": generator.integers(-5, 5, (rows, 2, 3)).astype(np.int32),
        "action": truth[: rows - 1, :1],
        "done": np.zeros(rows, bool),
        "model/geom_rgba": generator.uniform(size=(3, 4)),
        "model/one": np.float64(0.5),
    }
    for dictionary in (b"", b"what is expected"):
        block, num_bytes = pack(arrays, dictionary)
        found = unpack(block, num_bytes, dictionary)
        assert list(found) == list(arrays)
        for name, value in arrays.items():
            assert (found[name].dtype, found[name].shape) == (np.asarray(value).dtype, np.shape(value)), name
            assert found[name].tobytes() == np.asarray(value).tobytes(), name
            assert not found[name].flags.writeable
    with pytest.raises(ValueError, match="not a packed block"):
        unpack(block, num_bytes, b"something else")


def test_what_stands_or_repeats_costs_next_to_nothing():
    state = np.random.default_rng(0).normal(size=(60, 4))
    alone = len(pack({"state": state})[0])
    standing = {f"obs/{name}": np.full((60, 30), np.pi, np.float32) for name in "ab"}
    assert len(pack({"state": state, "obs/same": state.astype(np.float32), **standing})[0]) < alone + 150


def test_more_columns_than_can_be_named_are_kept_all_the_same():
    wide = np.tile(np.random.default_rng(0).normal(size=(2, 5)).astype(np.float32), (1, 14_000))
    arrays = {"obs/a": wide[:, :5], "obs/wide": wide, "obs/b": wide[:, :5]}
    found = unpack(*pack(arrays))
    assert all(found[name].tobytes() == value.tobytes() for name, value in arrays.items())
