"""Keeps the advice that exporters print for their own developers from a person's terminal."""

import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout

_LOGGERS = ("", "torch.onnx")  # the root's is what onnxruntime.quantization writes to


@contextmanager
def quiet() -> Iterator[None]:
    """Silences warnings, prints and all logs below errors; errors and exceptions pass."""
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
