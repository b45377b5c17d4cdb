import io
import json
import pickle
import random
import struct
import zipfile

import numpy as np
import pytest
import torch

from robossl.core import CorruptFileError
from robossl.training.tree import load_tree, refuse_pickle, save_tree


def round_trip(folder, tree):
    save_tree(folder, "tree", tree)
    return load_tree(folder, "tree")


def test_python_values_come_back_exactly(tmp_path):
    tree = {
        "int": 2**200 + 1,
        "float": 0.1 + 0.2,
        "negative_zero": -0.0,
        "none": None,
        "bool": True,
        "text": "µ\n",
        "tuple": (1, (2.5, [])),
        "list": [{}, []],
        0: "integer key",
        "$tensor": "a key that looks like a tag",
    }
    again = round_trip(tmp_path, tree)
    assert again == tree
    assert isinstance(again["bool"], bool)
    assert str(again["negative_zero"]) == "-0.0"


def test_non_finite_numbers_come_back(tmp_path):
    nan, infinite = round_trip(tmp_path, [float("nan"), -float("inf")])
    assert nan != nan
    assert infinite == -float("inf")


def test_the_state_of_pythons_generator_comes_back(tmp_path):
    state = random.Random(3).getstate()
    assert round_trip(tmp_path, {"python": state})["python"] == state


@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint16", "int32", "uint32", "int64", "uint64", "float64", "bool"])
@pytest.mark.parametrize("shape", [(), (0, 3), (2, 3)])
def test_arrays_keep_dtype_shape_and_bits(tmp_path, dtype, shape):
    array = np.arange(np.prod(shape, dtype=int)).reshape(shape).astype(dtype)
    again = round_trip(tmp_path, {"array": array})["array"]
    assert isinstance(again, np.ndarray)
    assert (again.dtype, again.shape, again.tobytes()) == (array.dtype, array.shape, array.tobytes())


def test_numpy_scalars_stay_scalars(tmp_path):
    again = round_trip(tmp_path, [np.float32(1.5), np.int64(3), np.bool_(True)])
    assert [type(value) for value in again] == [np.float32, np.int64, np.bool_]
    assert again == [1.5, 3, True]


def test_tensors_of_every_layout_come_back(tmp_path):
    weight = torch.randn(2, 3, 4, 5)
    tree = {
        "bf16": weight.to(torch.bfloat16),
        "channels_last": weight.to(memory_format=torch.channels_last),
        "view": weight[0, 1:],
        "transposed": weight[0, 0].t(),
        "parameter": torch.nn.Parameter(weight),
        "empty": torch.zeros(0),
        "scalar": torch.tensor(3, dtype=torch.int16),
    }
    again = round_trip(tmp_path, tree)
    for key, value in tree.items():
        assert again[key].dtype == value.dtype
        assert torch.equal(again[key], value), key


def test_a_shared_tensor_is_stored_once_and_comes_back_twice(tmp_path):
    weight = torch.randn(1000)
    again = round_trip(tmp_path, {"actor": weight, "critic": weight})
    assert (tmp_path / "tree.safetensors").stat().st_size < 2 * weight.nbytes
    assert torch.equal(again["actor"], weight)
    assert torch.equal(again["critic"], weight)
    assert again["actor"].data_ptr() != again["critic"].data_ptr()


def test_what_cannot_be_stored_is_named_by_its_place(tmp_path):
    with pytest.raises(TypeError, match=r"tree\.agent\.1 is a set"):
        save_tree(tmp_path, "tree", {"agent": [0, {1, 2}]})
    with pytest.raises(TypeError, match=r"tree\.names is an array of <U1"):
        save_tree(tmp_path, "tree", {"names": np.array(["a"])})
    assert list(tmp_path.iterdir()) == []


def test_a_pickle_in_a_files_place_is_refused_and_not_executed(tmp_path):
    class Attack:
        def __reduce__(self):
            return (open, (str(tmp_path / "executed"), "w"))

    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("archive/data.pkl", pickle.dumps(Attack()))
    array = io.BytesIO()
    np.save(array, np.array([Attack()], dtype=object), allow_pickle=True)
    for content in [*(pickle.dumps(Attack(), p) for p in (2, 3, 4, 5)), archive.getvalue(), array.getvalue()]:
        for suffix in ("safetensors", "json"):
            save_tree(tmp_path, "tree", {"weight": torch.zeros(2)})
            (tmp_path / f"tree.{suffix}").write_bytes(content)
            with pytest.raises(CorruptFileError, match=rf"tree\.{suffix} carries a pickle"):
                load_tree(tmp_path, "tree")
    assert not (tmp_path / "executed").exists()


def test_a_safetensors_header_whose_length_looks_like_a_pickle_is_read(tmp_path):
    path = tmp_path / "tree.safetensors"
    for length in (0x280, 0x10280):
        path.write_bytes(struct.pack("<Q", length) + b"{}".ljust(length))
        refuse_pickle(path)


def test_ordinary_arrays_are_no_pickles(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((3, 4), np.float32))
    refuse_pickle(tmp_path / "a.npy")


@pytest.mark.parametrize("suffix", ["safetensors", "json"])
@pytest.mark.parametrize("cut", [0, 5, -3])
def test_a_truncated_file_is_named(tmp_path, suffix, cut):
    save_tree(tmp_path, "tree", {"weight": torch.zeros(5), "count": 3})
    path = tmp_path / f"tree.{suffix}"
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(CorruptFileError, match=f"tree.{suffix}"):
        load_tree(tmp_path, "tree")


def test_a_structure_that_points_nowhere_is_named(tmp_path):
    save_tree(tmp_path, "tree", {"weight": torch.zeros(5)})
    (tmp_path / "tree.json").write_text(json.dumps({"weight": {"$tensor": "elsewhere"}}))
    with pytest.raises(CorruptFileError, match=r"tree\.json"):
        load_tree(tmp_path, "tree")


def test_an_absent_file_is_named(tmp_path):
    with pytest.raises(CorruptFileError, match=r"tree\.safetensors is missing"):
        load_tree(tmp_path, "tree")
