"""Weights and layers' inputs as 8-bit integers: a smaller and sometimes faster graph that is no longer equal."""

import tempfile
from pathlib import Path

import onnx
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

from robossl.core.protocols import Obs
from robossl.export.quiet import quiet

_LAYERS = ["Conv", "Gemm", "MatMul"]  # what costs; normalisation, scaling and activations stay exact
_BATCH_SIZE = 32


def to_int8(model: bytes, sample: Obs) -> bytes:
    """Quantises a graph; ranges of activations are those on `sample` {input: [M, ...]}."""
    with tempfile.TemporaryDirectory() as folder, quiet():
        path = Path(folder) / "int8.onnx"
        quantize_static(
            onnx.load_from_string(model),
            path,
            _Sample(sample),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=_LAYERS,
            per_channel=True,
            reduce_range=True,  # 7 bits: with 8, AVX2 processors overflow (ONNX Runtime's documentation)
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )
        return path.read_bytes()


class _Sample(CalibrationDataReader):  # type: ignore[misc]
    def __init__(self, sample: Obs) -> None:
        num_rows = len(next(iter(sample.values())))
        self._batches = iter(
            {name: rows[i : i + _BATCH_SIZE] for name, rows in sample.items()} for i in range(0, num_rows, _BATCH_SIZE)
        )

    def get_next(self) -> Obs | None:
        return next(self._batches, None)
