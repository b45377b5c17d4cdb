"""A robot behind a rosbridge server: messages come as raw CDR in CBOR, commands go as JSON.

rosbridge tells neither who listens nor how old a message is, and has no authentication of its own: tunnel it. It does
for small or compressed pictures up to about 20 Hz.

It does not acknowledge commands, either: so each is followed by a ping of WebSocket, whose answer says that it was
taken. While a few are unanswered nothing more is sent but kept, the newest alone: a link that stalls does not block the
bridge, and brings no burst of old commands when it goes on.
"""

import dataclasses
import json
import os
import ssl
import threading
import time
from typing import Any

import cbor2
import numpy as np
from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.sync.client import connect

from robossl.core import UserError
from robossl.deploy.clock import now_s
from robossl.deploy.profile import RosConfig
from robossl.deploy.ros_types import MAX_BYTES, RosTypes
from robossl.deploy.transports.transport import Receive, Topic

_OPEN_TIMEOUT_S = 5.0
_MOST_FRAMES = 64
"""Handed over at once, so that a flood does not keep the bridge from deciding."""
MOST_UNANSWERED = 4
"""Commands on their way at once: at 50 Hz enough for answers that take 80 ms."""
_ASK_AGAIN_S = 3.0
"""A server of ROS 2 listens as those who spoke when it was first asked would have it, reliably where nobody did: who
comes later and offers best effort is never heard. So what stays silent is asked for again."""
STALLED_S = 0.5
"""A server that takes longer to answer counts as gone. Ours: as long as bases wait for a command."""


class RosbridgeTransport:
    """See `Transport`.

    Raises:
        UserError: if the server cannot be reached.
    """

    def __init__(self, ros: RosConfig, types: RosTypes) -> None:
        self._types = types
        self._receivers: dict[str, Receive] = {}
        self._unheard: dict[str, tuple[Topic, float]] = {}
        self._advertised: dict[str, str] = {}
        self._connected = True
        self._waiting: dict[str, Any] | None = None
        self._unanswered: list[tuple[threading.Event, float]] = []
        try:
            self._socket = connect(
                ros.url,
                additional_headers=_headers(ros),
                max_size=MAX_BYTES,
                open_timeout=_OPEN_TIMEOUT_S,
                compression=None,
                proxy=None,  # else whatever the environment names would carry the robot's commands
                ssl=_tls(ros),
            )
        except (OSError, WebSocketException) as error:
            raise UserError(f"no rosbridge at {ros.url}: {' '.join(str(error).split())}") from error

    def subscribe(self, topic: Topic, receive: Receive) -> None:
        """See `Transport.subscribe`."""
        self._receivers[topic.name] = receive
        if not topic.sure:  # a stop that is pressed meanwhile would be missed
            self._unheard[topic.name] = (topic, now_s())
        self._ask_for(topic)

    def advertise(self, topic: Topic) -> None:
        """See `Transport.advertise`."""
        self._advertised[topic.name] = topic.type
        self._say({"op": "advertise", "topic": topic.name, "type": topic.type})

    def publish(self, topic: str, data: bytes) -> None:
        """See `Transport.publish`."""
        message = self._types.from_bytes(data, self._advertised[topic])
        self._waiting = {"op": "publish", "topic": topic, "msg": to_json(message)}
        self._send_waiting()

    def spin_once(self, timeout_s: float) -> None:
        """See `Transport.spin_once`."""
        self._ask_again()
        for _ in range(_MOST_FRAMES):
            self._send_waiting()
            if not self._connected:
                time.sleep(max(timeout_s, 0.0))
                return
            try:
                frame = self._socket.recv(timeout=max(timeout_s, 0.0))
            except TimeoutError:
                return
            except ConnectionClosed:
                self._connected = False
                continue
            timeout_s = 0.0
            self._hear(frame)

    def peers(self, topic: str) -> int:
        """See `Transport.peers`: the server counts as the one peer, as long as it answers."""
        self._forget_answered()
        stalled = self._unanswered and now_s() - self._unanswered[0][1] > STALLED_S
        return int(self._connected and not stalled)

    def speakers(self, topic: str) -> int | None:
        """See `Transport.speakers`: the server does not tell."""
        return None

    def close(self) -> None:
        """See `Transport.close`."""
        self._socket.close()

    def _ask_for(self, topic: Topic) -> None:
        wish = {"compression": "cbor-raw", "throttle_rate": 0, "queue_length": 1}
        self._say({"op": "subscribe", "topic": topic.name, "type": topic.type, **wish})

    def _ask_again(self) -> None:
        for topic, asked_s in list(self._unheard.values()):
            if now_s() - asked_s > _ASK_AGAIN_S:
                self._unheard[topic.name] = (topic, now_s())
                self._say({"op": "unsubscribe", "topic": topic.name})
                self._ask_for(topic)

    def _send_waiting(self) -> None:
        self._forget_answered()
        if self._waiting is None or len(self._unanswered) >= MOST_UNANSWERED:
            return
        self._say(self._waiting)
        self._waiting = None
        try:
            self._unanswered.append((self._socket.ping(), now_s()))
        except ConnectionClosed:
            self._connected = False

    def _forget_answered(self) -> None:
        self._unanswered = [(answer, sent_s) for answer, sent_s in self._unanswered if not answer.is_set()]

    def _say(self, value: dict[str, Any]) -> None:
        try:
            self._socket.send(json.dumps(value, allow_nan=False))
        except ConnectionClosed:
            self._connected = False

    def _hear(self, frame: str | bytes) -> None:
        message = read_frame(frame)
        if message is not None and message[0] in self._receivers:
            self._unheard.pop(message[0], None)
            self._receivers[message[0]](message[1])


def read_frame(frame: str | bytes) -> tuple[str, bytes] | None:
    """Returns topic and CDR bytes of a `cbor-raw` frame; None for what is not one, so that its topic ages."""
    if isinstance(frame, str):
        return None
    try:
        value = cbor2.loads(frame)
        topic, data = value["topic"], value["msg"]["bytes"]
    except Exception:  # whatever hostile bytes make the codec raise
        return None
    return (topic, data) if isinstance(topic, str) and isinstance(data, bytes) else None


def to_json(value: Any) -> Any:
    """Returns a message as the JSON values that rosbridge takes."""
    if dataclasses.is_dataclass(value):
        fields = [field.name for field in dataclasses.fields(value) if not field.name.startswith("__")]
        return {name: to_json(getattr(value, name)) for name in fields}
    if isinstance(value, np.ndarray):
        return value.tolist()
    return [to_json(item) for item in value] if isinstance(value, (list, tuple)) else value


def _headers(ros: RosConfig) -> dict[str, str]:
    if ros.token_variable is None:
        return {}
    token = os.environ.get(ros.token_variable)
    if not token:
        raise UserError(f"the profile takes its token from {ros.token_variable}, which is not set")
    return {"Authorization": f"Bearer {token}"}


def _tls(ros: RosConfig) -> ssl.SSLContext | None:
    """Returns by what a wss:// server's certificate is checked; None for ws://."""
    if not ros.url.startswith("wss://"):
        return None
    try:
        return ssl.create_default_context(cafile=ros.ca_file)
    except OSError as error:
        raise UserError(f"no certificates can be read from {ros.ca_file}: {error.strerror or error}") from error
