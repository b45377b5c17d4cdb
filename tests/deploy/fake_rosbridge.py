"""A fake rosbridge server: it speaks as much of the protocol as the tests need. The real one: test_ros2.py."""

import json
import ssl
import threading
from collections.abc import Mapping
from typing import Any

import cbor2
from websockets.sync.server import ServerConnection, serve


class FakeRosbridge:
    """Listens on a free loopback port; keeps what clients say, sends what tests want sent."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.said: list[dict[str, Any]] = []
        self.headers: Mapping[str, str] = {}
        self.heard = threading.Condition()
        self._clients: list[ServerConnection] = []
        self._server = serve(self._handle, "127.0.0.1", 0, ssl=tls)
        self.url = f"{'wss' if tls else 'ws'}://127.0.0.1:{self._server.socket.getsockname()[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def send(self, topic: str, data: bytes) -> None:
        """Sends a message as cbor-raw does."""
        self.send_frame(cbor2.dumps({"op": "publish", "topic": topic, "msg": {"secs": 1, "nsecs": 2, "bytes": data}}))

    def send_frame(self, frame: str | bytes) -> None:
        for client in self._clients:
            client.send(frame)

    def wait_for(self, count: int) -> None:
        """Waits until clients have said so much."""
        with self.heard:
            assert self.heard.wait_for(lambda: len(self.said) >= count, timeout=20)

    def close(self) -> None:
        for client in self._clients:
            client.close()
        self._server.shutdown()

    def _handle(self, client: ServerConnection) -> None:
        assert client.request is not None
        self.headers = client.request.headers
        self._clients.append(client)
        for frame in client:
            with self.heard:
                self.said.append(json.loads(frame))
                self.heard.notify_all()
