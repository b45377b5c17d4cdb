"""Who is there in DDS: whoever speaks, and what makes a participant a node in `ros2 node list`.

The latter is the announcement that every rmw reads. Tried against a real ROS 2 Humble node. The length of an identifier
differs between distributions; `rosbags` knows it.
"""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

import numpy as np
from cyclonedds.builtin import BuiltinDataReader, BuiltinTopicDcpsPublication
from cyclonedds.core import InstanceState
from cyclonedds.domain import DomainParticipant

from robossl.deploy.ros_types import RosTypes

TOPIC, TYPE = "ros_discovery_info", "rmw_dds_common/msg/ParticipantEntitiesInfo"
_GID, _NODE = "rmw_dds_common/msg/Gid", "rmw_dds_common/msg/NodeEntitiesInfo"
_AT_ONCE = 64


class Speakers:
    """Keeps book of the writers of other participants, as discovery tells of them."""

    def __init__(self, participant: DomainParticipant) -> None:
        self._own = participant.guid
        self._reader: Any = BuiltinDataReader(participant, BuiltinTopicDcpsPublication)
        self._topics: dict[UUID, str] = {}

    def count(self, topic: str) -> int:
        """Returns how many others speak on a topic, by its name in DDS."""
        for sample in self._reader.take(_AT_ONCE):
            if sample.sample_info.instance_state != InstanceState.Alive:
                self._topics.pop(sample.key, None)
            elif sample.participant_key != self._own:
                self._topics[sample.key] = sample.topic_name
        return sum(name == topic for name in self._topics.values())


def announcement(
    types: RosTypes, participant: UUID, *, node: str, readers: Iterable[UUID], writers: Iterable[UUID]
) -> Any:
    """Returns the message that says: this participant is this node, with these endpoints."""
    info = types.make(
        _NODE,
        node_namespace="/",
        node_name=node,
        reader_gid_seq=[_gid(types, guid) for guid in readers],
        writer_gid_seq=[_gid(types, guid) for guid in writers],
    )
    return types.make(TYPE, gid=_gid(types, participant), node_entities_info_seq=[info])


def _gid(types: RosTypes, guid: UUID) -> Any:
    store: Any = types.store
    length = int(store.fielddefs[_GID][1][0][1][1][1])
    return types.make(_GID, data=np.frombuffer(guid.bytes.ljust(length, b"\0"), np.uint8).copy())
