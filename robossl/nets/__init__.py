"""Encoders of pictures and vectors."""

from robossl.nets.encoder_files import load_encoder, save_encoder
from robossl.nets.mlp import mlp, seeded_init
from robossl.nets.multimodal import EncoderConfig, MultimodalEncoder, ObservationShapes, encode_window

__all__ = [
    "EncoderConfig",
    "MultimodalEncoder",
    "ObservationShapes",
    "encode_window",
    "load_encoder",
    "mlp",
    "save_encoder",
    "seeded_init",
]
