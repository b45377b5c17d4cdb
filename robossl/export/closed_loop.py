"""The graph at the wheel: it acts, and the agent is asked at every step what it would have done."""

from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from robossl.core.errors import UserError
from robossl.core.protocols import Obs
from robossl.core.specs import ArraySpec
from robossl.export.config import ExportConfig
from robossl.export.inputs import Seen, graph_inputs
from robossl.export.parity import difference
from robossl.export.session import Session


class Predictor(Protocol):
    """Chooses actions from channels-first, stacked observations as SB3's `predict` does."""

    def predict(self, observation: Obs, *, deterministic: bool) -> tuple[NDArray[np.float32], Any]:
        """Maps {key: [N, ...]} to actions [N, A] in [-1, 1], and a state that is not used."""


class Episodes(Protocol):
    """What episodes came to; entry i is the same world whoever acts.

    Attributes:
        returns: [E].
        success: [E] bool.
        has_success: whether the environment told of success at all.
    """

    @property
    def returns(self) -> NDArray[np.float64]:
        """Returns [E]."""

    @property
    def success(self) -> NDArray[np.bool_]:
        """Returns [E]."""

    @property
    def has_success(self) -> bool:
        """Tells whether the environment told of success at all."""

    def summary(self) -> dict[str, Any]:
        """Returns means with intervals, as JSON values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosedLoop:
    """A rollout driven by the graph beside one driven by the agent, in the same worlds.

    Attributes:
        steps: decisions in which both were compared, on the same observation.
        max_action_difference: the greatest, in units of the action's [-1, 1].
        success_agent, success_graph: shares of the worlds; None where the environment tells of no success.
        same_outcome: share of the worlds that both succeed or both fail in; None likewise.
    """

    episodes: int
    steps: int
    max_action_difference: float
    success_agent: float | None
    success_graph: float | None
    return_agent: float
    return_graph: float
    same_outcome: float | None

    def to_json(self) -> dict[str, Any]:
        """Returns JSON values."""
        return asdict(self)


class Watched:
    """An agent whose observations are noted."""

    def __init__(self, agent: Predictor, seen: Seen) -> None:
        self._agent, self._seen = agent, seen

    def predict(self, observation: Obs, *, deterministic: bool) -> tuple[NDArray[np.float32], Any]:
        """See `Predictor`."""
        self._seen.add(observation)
        return self._agent.predict(observation, deterministic=deterministic)


class Driver:
    """Acts by the graph and keeps how far the agent's own action was from it.

    Attributes:
        steps: how many decisions.
        max_difference: the greatest.
    """

    def __init__(self, session: Session, agent: Predictor, observation: dict[str, ArraySpec]) -> None:
        self._session, self._agent, self._observation = session, agent, observation
        self.steps, self.max_difference = 0, 0.0

    def predict(self, observation: Obs, *, deterministic: bool) -> tuple[NDArray[np.float32], Any]:
        """See `Predictor`; the graph is always deterministic."""
        action, _ = self._session(graph_inputs(observation, self._observation))
        wanted, _ = self._agent.predict(observation, deterministic=True)
        self.max_difference = max(self.max_difference, difference(action, wanted))
        self.steps += len(action)
        return action, None


def judge(agent: Episodes, graph: Episodes, driver: Driver) -> ClosedLoop:
    """Sums up two rollouts in the same worlds."""
    told = agent.has_success or graph.has_success
    return ClosedLoop(
        episodes=len(agent.returns),
        steps=driver.steps,
        max_action_difference=driver.max_difference,
        success_agent=float(np.mean(agent.success)) if told else None,
        success_graph=float(np.mean(graph.success)) if told else None,
        return_agent=float(np.mean(agent.returns)),
        return_graph=float(np.mean(graph.returns)),
        same_outcome=float(np.mean(agent.success == graph.success)) if told else None,
    )


def require_proven(result: ClosedLoop, config: ExportConfig) -> None:
    """Checks that the graph acts as the agent does, or, quantised, that it succeeds as often.

    Which episodes succeed is no measure of equality: where contacts or collisions decide, differences in the seventh
    digit grow until a few worlds end otherwise.

    Raises:
        UserError: with what was found.
    """
    if config.quantise is None and not result.max_action_difference <= config.tolerance:
        raise UserError(
            f"not exported: at the wheel the graph's action was {result.max_action_difference:.3g} from the agent's,"
            f" more than {config.tolerance:g}"
        )
    if config.quantise is None or result.success_agent is None or result.success_graph is None:
        return
    if result.success_agent - result.success_graph > config.max_success_loss:
        raise UserError(
            f"not exported: {result.success_graph:.1%} of {result.episodes} episodes succeed with {config.quantise},"
            f" {result.success_agent:.1%} without; at most {config.max_success_loss:.1%} may be lost"
        )
