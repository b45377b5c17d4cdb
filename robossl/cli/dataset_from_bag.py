"""`robossl dataset from-bag`: recordings of a bridge become episodes, to pretrain or to fine-tune on."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from robossl.cli.arguments import parse, split_positional
from robossl.cli.figures import print_summary
from robossl.cli.profiles import load_profile, require_known_profile
from robossl.core import Bundle, UsageError, UserError
from robossl.core.bundle import CONTRACT
from robossl.data import Episode, EpisodeStore
from robossl.data.episode_index import read_dataset, read_index, require_made_alike
from robossl.data.episode_writer import EpisodeWriter
from robossl.deploy.recording import Recording
from robossl.rehearsal.bag_episodes import RECORDED_S, bag_episodes, bag_spec


@dataclass(frozen=True, slots=True, kw_only=True)
class FromBagCommand:
    """Adds the episodes of a recording to a dataset, once.

    Attributes:
        bundle: that the bridge ran; needed.
        profile: of the robot; needed.
        out: the dataset's folder; needed; new, or one of earlier recordings of the same policy and robot.
        success: whether the task was done at the end; gives the last step a reward of 1. Not known where None.
        json: print one JSON object as the last line.
    """

    bundle: Path | None = None
    profile: str | None = None
    out: Path | None = None
    success: bool | None = None
    json: bool = False


def run(arguments: list[str]) -> int:
    """Reads the recording, decides it again, and writes what the policy saw and did."""
    bag, rest = split_positional(arguments)
    command = parse(
        FromBagCommand(),
        rest,
        usage="robossl dataset from-bag RECORDING --bundle FOLDER --profile NAME --out FOLDER",
        description="Adds the episodes of a bridge's live recording to a dataset.",
    )
    out = command.out
    if bag is None or command.profile is None or command.bundle is None or out is None:
        raise UsageError("give a recording, --bundle FOLDER, --profile NAME and --out FOLDER")
    require_known_profile(command.profile, command.bundle)
    bundle = Bundle(command.bundle)
    profile = load_profile(command.profile, bundle)
    recording = Recording(Path(bag))
    recording.require(bundle.digest, profile)
    if recording.lost:
        print(recording.lost)
    episodes = bag_episodes(recording, bundle.contract, profile, success=command.success)
    policy = hashlib.sha256(bundle.read(CONTRACT) + bundle.policy).hexdigest()  # the same with a profile in its bundle
    made = {"recorded_by": "robossl bridge", "bundle": bundle.digest, "policy": policy, "profile": profile.name}
    with EpisodeWriter(out, bag_spec(bundle.contract), made) as writer:
        knows_policy = "policy" in read_dataset(out)[1]
        require_made_alike(out, {name: made[name] for name in made if name != "bundle" or not knows_policy})
        episodes = _not_there_yet(out, episodes)
        if not episodes:
            raise UserError(f"{bag} is in {out} already: nothing is added, nor is --success changed")
        for episode in episodes:
            writer.add(episode)
    changed = sum(episode.info["guard_changed"] * episode.length for episode in episodes)
    share = changed / sum(episode.length for episode in episodes)
    print(f"{len(episodes)} episodes added; the guard changed {share:.0%} of the commands")
    print_summary(EpisodeStore(out).summary(), as_json=command.json)
    return 0


def _not_there_yet(folder: Path, episodes: list[Episode]) -> list[Episode]:
    """Returns those that a dataset does not hold; what an older robossl added tells no recording."""
    entries = [entry for entry in read_index(folder)[0] if entry is not None]
    there = {(entry.info.get(RECORDED_S), entry.episode) for entry in entries}
    return [episode for episode in episodes if (episode.info[RECORDED_S], episode.episode) not in there]
