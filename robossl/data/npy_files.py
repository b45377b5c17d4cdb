"""Memory-mapped .npy files: space reserved before it is used, headers checked before they are believed."""

import io
import math
import os
import tokenize
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.lib import format as npy_format

from robossl.core import CorruptFileError, UserError
from robossl.core.files import sync_folder

_DAMAGES = (ValueError, SyntaxError, TypeError, RecursionError, MemoryError, OverflowError, tokenize.TokenError)
"""What reading a header as a Python literal can end in; nothing in it is executed."""


def create_npy(path: Path, shape: tuple[int, ...], dtype: str) -> "np.memmap[Any, Any]":
    """Creates a zeroed .npy file with all its space reserved and maps it; replaces a file of that name.

    Writing through a mapping into space that the disk does not have kills the process (SIGBUS); reserving it first
    turns that into an error here.

    Raises:
        UserError: if there is not enough space.
    """
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        npy_format.open_memmap(temporary, mode="w+", dtype=np.dtype(dtype), shape=shape)
        with temporary.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, temporary.stat().st_size)
        temporary.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise UserError(f"cannot write {path}: {error.strerror or error}") from error
    return open_npy(path, "r+")


def resize_npy(path: Path, num_rows: int) -> None:
    """Gives a .npy file another number of rows: new ones are zero and have their space reserved.

    The header, which numpy pads so that it keeps its length, says so before rows go and after rows come, on the disk
    as well: interrupted at any moment, by a power cut too, the file is whole.

    Raises:
        UserError: if there is not enough space.
        CorruptFileError: as `open_npy`.
    """
    rows = open_npy(path)
    row_bytes = int(np.prod(rows.shape[1:], dtype=np.int64)) * rows.dtype.itemsize
    if len(rows) == num_rows:
        return
    offset, shape, dtype = int(rows.offset), (num_rows, *rows.shape[1:]), rows.dtype
    is_longer = num_rows > len(rows)
    del rows
    header = io.BytesIO()
    npy_format.write_array_header_1_0(
        header, {"shape": shape, "fortran_order": False, "descr": npy_format.dtype_to_descr(dtype)}
    )
    if header.tell() != offset:
        raise CorruptFileError(f"{path} has another header than was written")
    try:
        with path.open("r+b") as file:
            if is_longer:
                os.posix_fallocate(file.fileno(), 0, offset + num_rows * row_bytes)
                os.fsync(file.fileno())
            file.write(header.getvalue())
            file.flush()
            if not is_longer:
                os.fsync(file.fileno())
                file.truncate(offset + num_rows * row_bytes)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror or error}") from error


def open_npy(path: Path, mode: Literal["r", "r+"] = "r") -> "np.memmap[Any, Any]":
    """Maps a .npy file.

    Raises:
        CorruptFileError: if it is missing, truncated, not a .npy file, or holds pickled objects.
    """
    try:
        with path.open("rb") as file:
            shape, fortran_order, dtype = _read_header(file)
            offset, size = file.tell(), os.fstat(file.fileno()).st_size
    except OSError as error:
        raise CorruptFileError(f"{path} cannot be read: {error.strerror}") from error
    except _DAMAGES as error:
        raise CorruptFileError(f"{path} is not a .npy file, or its header is damaged") from error
    if dtype.hasobject:
        raise CorruptFileError(f"{path} holds pickled Python objects: refused, they could run code")
    expected = offset + math.prod(shape) * dtype.itemsize
    if size < expected or fortran_order:
        raise CorruptFileError(f"{path} is truncated or changed: {size} bytes where {expected} were written")
    return np.memmap(path, dtype, mode, offset, shape)


def _read_header(file: Any) -> tuple[tuple[int, ...], bool, "np.dtype[Any]"]:
    if npy_format.read_magic(file) != (1, 0):
        raise ValueError("another version than is written")
    shape, fortran_order, dtype = npy_format.read_array_header_1_0(file)
    if not dtype.itemsize or min(shape, default=0) < 0:
        raise ValueError("no array has this size")
    return shape, fortran_order, dtype
