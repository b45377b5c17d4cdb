"""Collection: a policy acts, and every finished episode goes to disk with all that is needed to repeat it."""

import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypeAlias, cast

from robossl.core.errors import UserError
from robossl.core.protocols import BatchEnv, Policy
from robossl.core.seeding import Stream
from robossl.core.specs import EnvSpec
from robossl.data.episode import Episode
from robossl.data.episode_index import DATASET_NAME, picture_specs, read_dataset, read_index, require_made_alike
from robossl.data.episode_writer import EpisodeWriter
from robossl.training.episode_builder import EpisodeBuilder
from robossl.training.interrupt import InterruptWish
from robossl.training.privileged import with_privileged
from robossl.training.progress import Progress
from robossl.training.rollout import Rollout

KEEPING = "keeping the finished episodes"

States: TypeAlias = Literal["exact", "physics"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectConfig:
    """How much is collected, and how.

    Attributes:
        steps: what the dataset shall hold in the end, with what it holds already.
        episodes: likewise; it ends with whichever comes first.
        policy: random trial and error, or the task's scripted expert.
        hold_steps: mean number of steps that the random policy holds an action.
        privileged: the simulator's truth is stored beside the observations, for probes, unless switched off.
        pictures: they are drawn and stored, unless switched off: `robossl dataset render` draws them from the states.
        states: "exact" can be gone on with to the last bit. "physics" is positions and velocities, and all else that
            pictures and motion follow from; controls, applied forces and the solver's first guess (not Bullet's forces
            of contact, which it keeps in its place) are zero. Where None, what the dataset holds; in a new one physics
            if no pictures are stored, exact if some are: beside them it costs little.
    """

    steps: int | None = 20_000
    episodes: int | None = None
    policy: Literal["random", "expert"] = "random"
    hold_steps: float = 1.0
    privileged: bool = True
    pictures: bool = True
    states: States | None = None

    def __post_init__(self) -> None:
        """Checks the numbers."""
        if self.steps is None and self.episodes is None:
            raise UserError("collect needs an end: steps or episodes")
        for name in ("steps", "episodes", "hold_steps"):
            value = getattr(self, name)
            if value is not None and not 1 <= value < math.inf:
                raise UserError(f"collect.{name.replace('_', '-')} must be at least 1, got {value}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What a dataset holds already.

    Attributes:
        next_world: the first world, of the seed and stream asked for, after those that its episodes come from.
    """

    episodes: int
    steps: int
    next_world: int


@dataclass(slots=True)
class Collected:
    """What a dataset gained."""

    episodes: int = 0
    steps: int = 0
    seconds: float = 0.0


def open_writer(
    folder: Path, env: BatchEnv, config: CollectConfig, *, seed: int, header: dict[str, Any] | None = None
) -> EpisodeWriter:
    """Creates the dataset of `collect`, or opens it to go on.

    Args:
        folder: of the dataset.
        env: whose episodes are stored.
        config: how they are made; states are exact where it does not say (`states_kept`).
        seed: of the worlds.
        header: what else is told of the environment: sensor models, ranges of what is random.

    Raises:
        UserError: if the folder holds something else, or episodes of another environment or policy, or of one set
            otherwise.
    """
    spec = with_privileged(env.spec) if config.privileged else env.spec
    config = replace(config, states=config.states or "exact")
    writer = EpisodeWriter(folder, spec, {"seed": seed, **asdict(config), **(header or {})})
    try:
        _require_same(folder, config, header or {})
    except UserError:
        writer.close()
        raise
    return writer


def states_kept(folder: Path, config: CollectConfig, spec: EnvSpec, *, is_own_physics: bool) -> States:
    """Returns which states go into a dataset.

    Args:
        folder: of the dataset, if there is one.
        config: what is asked for.
        spec: of what is observed.
        is_own_physics: whether states have parts that only serve to repeat a motion.
    """
    if config.states is not None:
        return config.states
    if (folder / DATASET_NAME).is_file():
        return cast(States, read_dataset(folder)[1].get("states", "exact"))
    return "exact" if picture_specs(spec) or not is_own_physics else "physics"


def held(folder: Path, seed: int, stream: Stream = Stream.COLLECT) -> Held:
    """Counts what the dataset in `folder` holds; nothing where there is none."""
    entries = [entry for entry in read_index(folder)[0] if entry is not None]
    seen = [entry.world for entry in entries if (entry.seed, entry.stream) == (seed, int(stream))]
    steps = sum(entry.length for entry in entries)
    return Held(episodes=len(entries), steps=steps, next_world=max(seen, default=-1) + 1)


def collect(
    env: BatchEnv,
    policy: Policy,
    writer: EpisodeWriter,
    config: CollectConfig,
    *,
    seed: int,
    stream: Stream = Stream.COLLECT,
    farewell: str = KEEPING,
    forgotten: Sequence[int] = (),
) -> Collected:
    """Collects until the dataset holds what was asked for, in worlds that it has not seen yet.

    Args:
        env: of the worlds (seed, stream).
        policy: who acts.
        writer: see `open_writer`.
        config: how much.
        seed: of the worlds, written into every episode.
        stream: likewise.
        farewell: what whoever interrupts is told.
        forgotten: columns of states that are stored as zeros.

    Returns:
        What was added.

    Raises:
        Interrupted: after SIGINT, SIGTERM or SIGHUP; only the episodes in flight are lost.
        UserError: if the disk is full, or what an episode holds is not finite or not as the spec says; the episodes
            before are intact.
    """
    before = held(writer.folder, seed, stream)
    added, began_s = Collected(), time.monotonic()
    keeps_privileged = set(writer.spec.observation) != set(env.spec.observation)
    unit = "episodes" if config.steps is None else "steps"
    total, initial = _total(before, added, config), before.episodes if unit == "episodes" else before.steps
    with (
        Progress("collect", total, unit, initial=initial) as progress,
        InterruptWish(farewell) as wish,
        EpisodeBuilder(
            env, seed=seed, stream=int(stream), keeps_privileged=keeps_privileged, forgotten=forgotten
        ) as builder,
    ):
        rollout = Rollout(env, policy, first_world=before.next_world)
        builder.begin()
        while not _is_enough(before, added, config):
            for episode in builder.add(rollout.step()):
                if _is_enough(before, added, config):
                    break
                _add(writer, episode)
                added.episodes += 1
                added.steps += episode.length
                progress.expect(_total(before, added, config))
                progress.add(1 if unit == "episodes" else episode.length)
            wish.raise_if_received(writer.folder)
    added.seconds = time.monotonic() - began_s
    return added


def _add(writer: EpisodeWriter, episode: Episode) -> None:
    try:
        writer.add(episode)
    except ValueError as error:
        raise UserError(f"world {episode.world}, episode {episode.episode}: {error}") from error


def _require_same(folder: Path, config: CollectConfig, header: dict[str, Any]) -> None:
    """Checks that a dataset's episodes were made like those that would be added."""
    stored = read_dataset(folder)[1]
    if stored.get("states", "exact") != config.states:
        raise UserError(
            f"{folder} holds {stored.get('states', 'exact')} states: {config.states} ones are not added to it"
        )
    who_acts = {"policy": config.policy, **({"hold_steps": config.hold_steps} if config.policy == "random" else {})}
    require_made_alike(folder, {**who_acts, **dict(sorted(header.items()))})


def _total(before: Held, added: Collected, config: CollectConfig) -> int:
    """Returns what progress counts towards: episodes, or steps, which may be fewer where episodes end it before."""
    if config.steps is None:
        return config.episodes or 0
    steps, episodes = before.steps + added.steps, before.episodes + added.episodes
    if config.episodes is None or not episodes:
        return config.steps
    return min(config.steps, round(steps * config.episodes / episodes))


def _is_enough(before: Held, added: Collected, config: CollectConfig) -> bool:
    steps, episodes = before.steps + added.steps, before.episodes + added.episodes
    return (config.steps is not None and steps >= config.steps) or (
        config.episodes is not None and episodes >= config.episodes
    )
