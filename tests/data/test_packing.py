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
        (b'{"arrays": [["state", "<f8", [99999999999999999999]]]}\n12345678', "not a packed block"),
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
    monkeypatch.setattr(packing, "MAX_BYTES", num_bytes - 1)
    with pytest.raises(ValueError, match=f"an episode has {num_bytes} bytes beside its pictures, {num_bytes - 1} fit"):
        pack({"state": np.zeros((9, 4))})
    with pytest.raises(ValueError, match=f"{num_bytes} bytes are no packed block's"):
        unpack(block, num_bytes)


@pytest.mark.parametrize("shape", [(5, 0), (0, 3), (2, 0, 3), ()])
def test_what_is_empty_keeps_its_shape(shape):
    assert unpack(*pack({"state": np.zeros(shape)}))["state"].shape == shape
