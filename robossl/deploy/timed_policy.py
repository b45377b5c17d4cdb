"""A policy that does not make the bridge wait: an answer that comes too late is none."""

import time
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor, TimeoutError
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robossl.deploy.bridge import Commander


class TimedPolicy:
    """See `Commander`; a call that takes longer than the budget gives None, and so does every one until it is done.

    Attributes:
        inference_s: of the last call that was in time.
    """

    def __init__(self, policy: Commander, *, budget_s: float) -> None:
        self.contract = policy.contract
        self.inference_s = 0.0
        self._policy, self._budget_s = policy, budget_s
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="policy")
        self._running: Future[NDArray[np.float64] | None] | None = None
        self._worker.submit(policy.reset).result()  # starts the thread: on a busy machine that takes a decision's time

    def reset(self) -> None:
        """See `Commander.reset`."""
        if self._running is not None:
            self._running.result()
            self._running = None
        self._policy.reset()

    def command(self, inputs: Mapping[str, NDArray[Any]]) -> NDArray[np.float64] | None:
        """See `Commander.command`."""
        if self._running is not None and not self._running.done():
            return None
        begun_s = time.perf_counter()
        self._running = self._worker.submit(self._policy.command, inputs)
        try:
            answer = self._running.result(self._budget_s)
        except TimeoutError:
            return None
        self.inference_s = time.perf_counter() - begun_s
        return answer

    def close(self) -> None:
        """Ends the thread."""
        self._worker.shutdown(wait=False, cancel_futures=True)
