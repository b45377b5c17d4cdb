"""ROS 2 over DDS without a ROS installation: Cyclone DDS moves the bytes, `rosbags` made them.

By default only the loopback interface is used, without multicast; another interface and its peers must be named.
Cyclone binds what it listens with to all interfaces and has no setting against it: so its sockets are given a filter.
"""

from typing import Any

from cyclonedds.core import DDSException, InstanceState, ReadCondition, SampleState, ViewState, WaitSet
from cyclonedds.domain import Domain, DomainParticipant
from cyclonedds.pub import DataWriter
from cyclonedds.qos import Policy, Qos
from cyclonedds.sub import DataReader
from cyclonedds.topic import Topic as DdsTopic
from cyclonedds.util import duration

from robossl.core import UserError
from robossl.deploy.profile import RosConfig
from robossl.deploy.ros_types import RosTypes
from robossl.deploy.transports import dds_graph
from robossl.deploy.transports.dds_types import raw_message, raw_type
from robossl.deploy.transports.interfaces import confined
from robossl.deploy.transports.transport import Receive, Topic

_LEASE_S = 3
"""After which others forget a bridge that was killed, so that the next one is not taken for a second commander."""
_LAST_INDEX = 119
"""Of participants on one machine, by the ports that DDS has for them: a robot has a process for each driver."""
_PING_S = 2
"""After which a peer is pinged again, for as long as the bridge runs: ROS 2's nodes announce themselves by multicast,
which is off here, so who starts after the bridge is found by nothing else."""
DEPTH = 5
"""Messages that a reader keeps, the sensor profile of ROS 2."""
_HASHED_DISTROS = ("iron", "jazzy", "kilted")
_RELIABLE = Policy.Reliability.Reliable(duration(milliseconds=100))
_EAGER = (Policy.Reliability.BestEffort, Policy.Durability.Volatile)
"""How a reader asks that hears everybody, what is lost on the way excepted."""
_SURE = ((_RELIABLE, Policy.Durability.Volatile), (_RELIABLE, Policy.Durability.TransientLocal))
"""How readers ask that hear all there is to hear, of speakers who offer it, and what was said before they came."""
_ANY = SampleState.Any | ViewState.Any | InstanceState.Any


class DdsTransport:
    """See `Transport`.

    Raises:
        UserError: if the domain cannot be joined.
    """

    def __init__(self, ros: RosConfig, types: RosTypes) -> None:
        self._types = types
        self._hashed = ros.distro in _HASHED_DISTROS
        try:
            with confined(ros.interface):
                self._domain = Domain(ros.domain_id, configuration(ros))
                self._participant = DomainParticipant(ros.domain_id, Qos(Policy.Userdata(data=b"enclave=/;")))
            self._waitset = WaitSet(self._participant)
            self._speakers = dds_graph.Speakers(self._participant)
        except DDSException as error:
            raise UserError(f"DDS domain {ros.domain_id} cannot be joined on {ros.interface}: {error}") from error
        self._raw: dict[str, Any] = {}
        self._readers: dict[str, tuple[list[DataReader[Any]], Receive]] = {}
        self._writers: dict[str, tuple[DataWriter[Any], Any]] = {}
        self._conditions: list[ReadCondition] = []
        self._node = ros.node
        self._graph = self._open_graph() if ros.node else None

    def subscribe(self, topic: Topic, receive: Receive) -> None:
        """See `Transport.subscribe`."""
        readers = [self._reader(topic, _EAGER)]
        if topic.sure:  # who only speaks best effort is not heard by a reader that asks for more
            readers += [self._reader(topic, qos) for qos in _SURE]
        self._readers[topic.name] = (readers, receive)
        self._announce()

    def advertise(self, topic: Topic) -> None:
        """See `Transport.advertise`."""
        qos = Qos(
            Policy.Reliability.Reliable(duration(milliseconds=5)),
            Policy.History.KeepLast(1),
            Policy.Durability.Volatile,
            Policy.WriterDataLifecycle(autodispose=False),
            *self._endpoint_policies(topic),
        )
        dds_topic = self._dds_topic(topic)
        self._writers[topic.name] = (DataWriter(self._participant, dds_topic, qos), dds_topic.data_type)
        self._announce()

    def publish(self, topic: str, data: bytes) -> None:
        """See `Transport.publish`; what cannot be sent within milliseconds is dropped: a newer one follows."""
        writer, raw = self._writers[topic]
        try:
            writer.write(raw_message(raw, data))
        except DDSException as error:
            if error.code != DDSException.DDS_RETCODE_TIMEOUT:
                raise

    def spin_once(self, timeout_s: float) -> None:
        """See `Transport.spin_once`."""
        self._waitset.wait(duration(seconds=max(timeout_s, 0.0)))
        for readers, receive in self._readers.values():
            for sample in (sample for reader in readers for sample in reader.take(DEPTH)):
                if sample.sample_info.valid_data:
                    receive(sample.payload)

    def peers(self, topic: str) -> int:
        """See `Transport.peers`."""
        if topic in self._writers:
            return len(self._writers[topic][0].get_matched_subscriptions())
        eager, *_ = self._readers[topic][0]
        return len(eager.get_matched_publications())

    def speakers(self, topic: str) -> int | None:
        """See `Transport.speakers`: also those are told of whose type or quality of service is not ours."""
        return self._speakers.count(f"rt{topic}")

    def close(self) -> None:
        """See `Transport.close`."""
        self._readers.clear()
        self._writers.clear()
        self._conditions.clear()
        del self._waitset, self._graph, self._speakers, self._participant, self._domain

    def _reader(self, topic: Topic, policies: tuple[Any, ...]) -> DataReader[Any]:
        qos = Qos(*policies, Policy.History.KeepLast(DEPTH), *self._endpoint_policies(topic))
        reader: DataReader[Any] = DataReader(self._participant, self._dds_topic(topic), qos)
        condition = ReadCondition(reader, _ANY)
        self._waitset.attach(condition)
        self._conditions.append(condition)
        return reader

    def _open_graph(self) -> "tuple[DataWriter[Any], Any]":
        qos = Qos(
            Policy.Reliability.Reliable(duration(milliseconds=100)),
            Policy.History.KeepLast(1),
            Policy.Durability.TransientLocal,
            Policy.WriterDataLifecycle(autodispose=False),
            *self._endpoint_policies(Topic(name=dds_graph.TOPIC, type=dds_graph.TYPE)),
        )
        raw = raw_type(self._types.store, dds_graph.TYPE)
        return DataWriter(self._participant, DdsTopic(self._participant, dds_graph.TOPIC, raw), qos), raw

    def _announce(self) -> None:
        """Tells the ROS graph which endpoints are this node's."""
        if self._graph is None or self._node is None:
            return
        message = dds_graph.announcement(
            self._types,
            self._participant.guid,
            node=self._node,
            readers=[reader.guid for readers, _ in self._readers.values() for reader in readers],
            writers=[writer.guid for writer, _ in self._writers.values()],
        )
        writer, raw = self._graph
        writer.write(raw_message(raw, self._types.to_bytes(message)))

    def _dds_topic(self, topic: Topic) -> "DdsTopic[Any]":
        if topic.type not in self._raw:
            self._raw[topic.type] = raw_type(self._types.store, topic.type)
        return DdsTopic(self._participant, f"rt{topic.name}", self._raw[topic.type])

    def _endpoint_policies(self, topic: Topic) -> list[Any]:
        policies: list[Any] = [Policy.DataRepresentation(use_cdrv0_representation=True)]
        if self._hashed:
            policies.append(Policy.Userdata(data=f"typehash={self._types.rihs(topic.type)};".encode()))
        return policies


def configuration(ros: RosConfig) -> str:
    """Returns Cyclone's configuration: one interface, no multicast, named peers."""
    peers = "".join(f'<Peer address="{peer}"/>' for peer in (ros.peers or ("127.0.0.1",)))
    return (
        '<CycloneDDS><Domain Id="any"><General>'
        f'<Interfaces><NetworkInterface name="{ros.interface}" multicast="false"/></Interfaces>'
        "<AllowMulticast>false</AllowMulticast><MaxMessageSize>65500B</MaxMessageSize></General>"
        "<Discovery><ParticipantIndex>auto</ParticipantIndex>"
        f"<MaxAutoParticipantIndex>{_LAST_INDEX}</MaxAutoParticipantIndex><SPDPInterval>{_PING_S} s</SPDPInterval>"
        "<InitialLocatorPruneDelay>inf</InitialLocatorPruneDelay>"
        f"<Peers>{peers}</Peers><LeaseDuration>{_LEASE_S} s</LeaseDuration></Discovery></Domain></CycloneDDS>"
    )
