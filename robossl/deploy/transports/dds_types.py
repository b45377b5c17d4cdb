"""ROS message types as Cyclone DDS knows them, carrying bytes that another codec has made.

What was found against a real ROS 2 Humble node: the type's name is pkg::msg::dds_::Name_; eight-bit numbers must be
octets (with TK_UINT8 in its type information, Cyclone 0.10.2 crashes); the class must be flat, not a subclass of
another IDL type; and a reader whose writer leaves calls `deserialize_key`, which must not raise.
"""

from typing import Any

from cyclonedds.idl import IdlStruct, make_idl_struct, types
from rosbags.interfaces import Nodetype

_BOUNDED_STRING: Any = types.bounded_str
_ARRAY: Any = types.array
_SEQUENCE: Any = types.sequence
_NUMBERS: dict[str, Any] = {
    "bool": bool,
    "byte": types.byte,
    "char": types.byte,
    "int8": types.byte,
    "uint8": types.byte,
    "int16": types.int16,
    "uint16": types.uint16,
    "int32": types.int32,
    "uint32": types.uint32,
    "int64": types.int64,
    "uint64": types.uint64,
    "float32": types.float32,
    "float64": types.float64,
    "string": str,
}


def raw_type(store: Any, kind: str) -> type[IdlStruct]:
    """Returns the IDL type of a ROS type, whose instances have one attribute `payload`: CDR with its header.

    Args:
        store: of `rosbags`, which has the definitions.
        kind: e.g. sensor_msgs/msg/JointState.
    """
    raw: Any = make_idl_struct(kind.rsplit("/", 1)[1], dds_name(kind), fields(store, kind), dataclassify=False)
    raw.serialize = lambda self, *_, **__: self.payload
    raw.serialize_key = lambda self, *_, **__: b"\x00\x01\x00\x00"
    raw.deserialize = classmethod(lambda cls, data, *_, **__: raw_message(cls, data))
    raw.deserialize_key = classmethod(lambda cls, data, *_, **__: raw_message(cls, b""))
    found: type[IdlStruct] = raw
    return found


def raw_message(raw: type[IdlStruct], payload: bytes) -> Any:
    """Makes an instance of a raw type."""
    message: Any = raw()
    message.payload = payload
    return message


def dds_name(kind: str) -> str:
    """Returns the name that ROS gives a type in DDS."""
    package, _, name = kind.split("/")
    return f"{package}::msg::dds_::{name}_"


def fields(store: Any, kind: str) -> dict[str, Any]:
    """Returns the IDL types of a ROS type's fields, by name."""
    return {name: _field(store, node) for name, node in store.fielddefs[kind][1]}


def _field(store: Any, node: Any) -> Any:
    nodetype, arguments = node
    if nodetype is Nodetype.BASE:
        name, bound = arguments
        return _BOUNDED_STRING[bound] if name == "string" and bound else _NUMBERS[name]
    if nodetype is Nodetype.NAME:
        return make_idl_struct(arguments.rsplit("/", 1)[1], dds_name(arguments), fields(store, arguments))
    item, size = _field(store, arguments[0]), arguments[1]
    if nodetype is Nodetype.ARRAY:
        return _ARRAY[item, size]
    return _SEQUENCE[item, size] if size else _SEQUENCE[item]
