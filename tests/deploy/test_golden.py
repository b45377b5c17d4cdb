"""Bytes of every message type against golden ones, which an independent serialiser made (golden/make_cdr.py)."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from deploy_robots import TYPES
from rosbags.interfaces import Nodetype

GOLDEN = Path(__file__).parent / "golden"
sys.path.insert(0, str(GOLDEN))

from values import VALUES  # noqa: E402

from robossl.deploy.topics import MESSAGE_TYPES, OUTPUT_TYPES  # noqa: E402

CDR = {kind: bytes.fromhex(data) for kind, data in json.loads((GOLDEN / "cdr.json").read_text()).items()}


def test_every_type_that_travels_has_golden_bytes() -> None:
    travelling = {*MESSAGE_TYPES.values(), *OUTPUT_TYPES.values(), "geometry_msgs/msg/Twist"}
    assert travelling | {"geometry_msgs/msg/TwistStamped"} == set(CDR)


@pytest.mark.parametrize("kind", CDR)
def test_our_bytes_are_the_golden_ones(kind: str) -> None:
    assert TYPES.to_bytes(made(kind, VALUES[kind])) == CDR[kind]


@pytest.mark.parametrize("kind", CDR)
def test_golden_bytes_are_read_and_written_again_the_same(kind: str) -> None:
    assert TYPES.to_bytes(TYPES.from_bytes(CDR[kind], kind)) == CDR[kind]


def made(kind: str, values: dict[str, Any]) -> Any:
    """Makes a message of plain values."""
    fields = dict(TYPES.store.fielddefs[kind][1])
    return TYPES.make(kind, **{name: field(fields[name], value) for name, value in values.items()})


def field(node: Any, value: Any) -> Any:
    nodetype, arguments = node
    if nodetype is Nodetype.NAME:
        return made(arguments, value)
    if nodetype is Nodetype.BASE:
        return value
    inner = arguments[0]
    if inner[0] is Nodetype.NAME:
        return [field(inner, item) for item in value]
    return value if inner[1][0] == "string" else np.array(value, inner[1][0])
