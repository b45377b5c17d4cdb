"""What `train` makes first, and finds again: a dataset and a pretrained encoder, named by a hash of their settings.

    <log folder>/artifacts/data-<hash>/       episodes; there as a whole or not at all
                           encoder-<hash>/    checkpoints/ tb/ encoder/ result.json; finished once the last one is there
                           .<name>.lock       held by the process that makes it; others wait and then reuse

An artefact that is found was made from the same settings by the same version: a run that was killed here and is
resumed goes on from the same bits as one that was not.
"""

import hashlib
import json
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from robossl.cli.compose import make_policy, opened_env
from robossl.cli.pretraining import Pretraining, pretrain_summary
from robossl.cli.settings import PretrainSettings, PretrainStage, TrainSettings
from robossl.core import BatchEnv, EnvSpec, Stream, UserError
from robossl.core.files import exclusive, sync_folder, write_json
from robossl.envs import EnvConfig
from robossl.envs.engine import Engine
from robossl.envs.mujoco_fields import columns_of
from robossl.envs.provenance import header, without_pictures
from robossl.training.collect import KEEPING, CollectConfig, Collected, collect, open_writer, states_kept
from robossl.training.episode_builder import require_memory
from robossl.training.pretrain import ENCODER_FOLDER
from robossl.version import VERSION

_RESULT = "result.json"
_BEGINS_ANEW = "stopping; this collection begins anew when the run is resumed"


def pretrained_encoder(settings: TrainSettings, stage: PretrainStage, spec: EnvSpec) -> Path:
    """Collects and pretrains, or reuses what the same settings have made before; returns the encoder's folder.

    Args:
        settings: of the run.
        stage: its pretraining.
        spec: of its environment.
    """
    env = {key: value for key, value in asdict(settings.env).items() if key != "num_threads"}
    made_of = {"version": VERSION, "env": env, "spec": spec.to_json(), "collect": asdict(stage.collect)}
    data = _collected(settings, stage, made_of)
    config = pretrain_settings(settings, stage)
    learned_from = {**made_of, **asdict(config), "log_folder": None}  # device and threads change its last bits
    folder = _artifact(settings, "encoder", learned_from)
    with _mine(folder):
        if not (folder / _RESULT).is_file():
            result = Pretraining.prepare(data, config).run(folder, resume=True)
            write_json(folder / _RESULT, pretrain_summary(result))
    return folder / ENCODER_FOLDER


def pretrain_settings(settings: TrainSettings, stage: PretrainStage) -> PretrainSettings:
    """Returns what `robossl pretrain` would be told to do the same as the stage of a run."""
    return PretrainSettings(
        encoder=settings.encoder,
        frame_stack=settings.frame_stack,
        objectives=stage.objectives,
        pretrain=stage.pretrain,
        probe=stage.probe,
        seed=settings.seed,
        device=settings.device,
        num_threads=settings.num_threads,
        log_folder=settings.log_folder,
    )


def _collected(settings: TrainSettings, stage: PretrainStage, made_of: dict[str, Any]) -> Path:
    folder = _artifact(settings, "data", {**made_of, "seed": settings.seed})
    with _mine(folder):
        if not folder.is_dir():
            partial = folder.with_name(f".{folder.name}.partial")
            shutil.rmtree(partial, ignore_errors=True)
            collect_into(partial, settings.env, stage.collect, settings.seed, farewell=_BEGINS_ANEW)
            partial.rename(folder)
            sync_folder(folder.parent)
    return folder


def _artifact(settings: TrainSettings, what: str, made_of: dict[str, Any]) -> Path:
    digest = hashlib.sha256(json.dumps(made_of, sort_keys=True, default=str).encode()).hexdigest()[:12]
    return settings.log_folder / "artifacts" / f"{what}-{digest}"


@contextmanager
def _mine(folder: Path) -> Iterator[None]:
    """Lets one process at a time make or look at an artefact."""
    said = f"waiting for another process that makes {folder}"
    with exclusive(folder.with_name(f".{folder.name}.lock"), lambda: print(said, file=sys.stderr, flush=True)):
        yield


def collect_into(
    folder: Path, env_config: EnvConfig, config: CollectConfig, seed: int, *, farewell: str = KEEPING
) -> Collected:
    """Fills the dataset in `folder` up to what `config` asks for; one that is full is left as it is.

    Raises:
        UserError: if the environment has no states of physics alone, where those are asked for.
    """
    told = header(env_config)
    is_own = "task_sensors" in told
    if config.states == "physics" and not is_own:
        raise UserError(f"{env_config.id} has no states that physics could be told apart in")
    if not config.pictures:
        env_config = without_pictures(env_config)
    with opened_env(env_config, seed, Stream.COLLECT) as env:
        if env.spec.render is not None:  # another than was asked for, where that one does not start here
            told["env"]["renderer"] = env.spec.render.renderer
        if is_own:  # of others the longest episode says little
            require_memory(env, keeps_privileged=config.privileged)
        config = replace(config, states=states_kept(folder, config, env.spec, is_own_physics=is_own))
        return _collect(folder, env, config, seed, told, farewell)


def _collect(
    folder: Path, env: BatchEnv, config: CollectConfig, seed: int, told: dict[str, Any], farewell: str
) -> Collected:
    with open_writer(folder, env, config, seed=seed, header=told) as writer:
        policy = make_policy(config.policy, env, seed=seed, hold_steps=config.hold_steps)
        forgotten = _passing_columns(env) if config.states == "physics" else ()
        return collect(env, policy, writer, config, seed=seed, farewell=farewell, forgotten=forgotten)


def _passing_columns(env: BatchEnv) -> tuple[int, ...]:
    """Returns which columns of states only serve to repeat a motion to the last bit, in the engine that makes it."""
    engine: Engine = env.engine  # type: ignore[attr-defined]
    return tuple(columns_of(engine.model, engine.passing_fields).tolist())
