import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from bag_commands import command, write_bundle
from deploy_robots import arm_contract
from loopback_session import PROFILE, recorded

from robossl.cli import dataset_from_bag
from robossl.core import Bundle, UserError
from robossl.core.bundle import seal
from robossl.core.contract import CameraInput
from robossl.data import EpisodeStore, EpisodeWriter, Replay
from robossl.deploy.recording import Recording
from robossl.deploy.session import Mode
from robossl.rehearsal.bag_episodes import actions_of, bag_episodes, bag_spec


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    return Recording(recorded(tmp_path_factory.mktemp("live")))


def test_an_episode_is_what_the_policy_saw_and_chose(recording: Recording) -> None:
    (episode,) = bag_episodes(recording, arm_contract(), PROFILE, success=None)
    asked = [period for period in recording.periods() if period["decision"]["proposed"] is not None]
    assert episode.length == len(asked) - 1 > 20
    np.testing.assert_array_equal(episode.action, np.full((episode.length, 2), np.float32([0.4, 0.3])))
    assert episode.obs["rgb_front"].shape == (episode.length + 1, 4, 6, 3)
    assert (episode.obs["rgb_front"] == 100).all()
    positions = episode.obs["proprio"][:, :2]
    np.testing.assert_allclose(positions[0], 0.0, atol=1e-6)
    assert (np.diff(positions, axis=0) >= -1e-6).all()  # towards what the policy wants
    assert positions[-1, 0] > 0.1
    assert (episode.terminated, episode.truncated, "success" in episode.info) == (False, True, False)
    assert 0 < episode.info["guard_changed"] <= 1
    assert not episode.reward.any()


def test_a_success_is_a_reward_in_the_last_step(recording: Recording) -> None:
    (episode,) = bag_episodes(recording, arm_contract(), PROFILE, success=True)
    assert (episode.terminated, episode.info["success"], episode.reward[-1], episode.reward.sum()) == (True, 1, 1, 1)
    (episode,) = bag_episodes(recording, arm_contract(), PROFILE, success=False)
    assert (episode.terminated, episode.truncated, episode.info["success"]) == (False, True, 0)


def test_actions_are_what_commands_were_made_of() -> None:
    first, second = arm_contract().commands
    scaled = arm_contract(
        commands=(
            type(first)(**{**_fields(first), "source": 1, "scale": 0.5, "offset": 0.1}),
            type(second)(**{**_fields(second), "source": None, "scale": 0.0, "offset": 0.2}),
        )
    )
    actions = actions_of(np.array([[0.35, 0.2], [9.0, 0.2]]), scaled)
    np.testing.assert_allclose(actions, [[0.0, 0.5], [0.0, 1.0]], atol=1e-7)


def test_what_moved_nothing_or_was_made_by_another_is_refused(recording: Recording, tmp_path: Path) -> None:
    shadow = Recording(recorded(tmp_path, mode=Mode.SHADOW))
    with pytest.raises(UserError, match="mode shadow: its actions moved nothing"):
        bag_episodes(shadow, arm_contract(), PROFILE, success=None)
    camera = next(spec for spec in arm_contract().inputs if isinstance(spec, CameraInput))
    other = arm_contract(inputs=(arm_contract().inputs[0], type(camera)(**{**_fields(camera), "max_age_s": 0.01})))
    with pytest.raises(UserError, match=r"decided differently now, in period \d+: "):
        bag_episodes(recording, other, PROFILE, success=None)


def test_a_recording_becomes_a_dataset_that_a_replay_loads(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle, out = write_bundle(tmp_path / "bundle", arm_contract(), PROFILE), tmp_path / "data"
    for later_s in range(2):
        words = words_of(bundle, recorded(tmp_path / str(later_s), digest=Bundle(bundle).digest, later_s=later_s), out)
        assert command([*words, "--success", "True", "--json"], capsys)[0] == 0
    code, told = command(["dataset", "info", str(out), "--json"], capsys)
    summary = json.loads(told[0].splitlines()[-1])
    assert (code, summary["damages"], summary["episodes"], summary["success_rate"]) == (0, 0, 2, 1.0)
    store = EpisodeStore(out)
    assert store.spec == bag_spec(arm_contract())
    replay = Replay.from_episodes(store, frame_stack=2, keys=tuple(store.spec.observation))
    batch = replay.sample(8, generator=torch.Generator().manual_seed(0))
    assert batch.obs["rgb_front"].shape == (8, 6, 4, 6)
    assert torch.allclose(batch.action, torch.tensor([0.4, 0.3]))


def words_of(bundle: Path, bag: Path, out: Path) -> list[str]:
    return ["dataset", "from-bag", str(bag), "--bundle", str(bundle), "--profile", PROFILE.name, "--out", str(out)]


def test_a_recording_of_another_policy_is_not_added(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, code in (("one", 0), ("other", 1)):
        bundle = write_bundle(tmp_path / name, arm_contract(), PROFILE, policy=name.encode())
        bag = recorded(tmp_path / f"of {name}", digest=Bundle(bundle).digest)
        told = command(words_of(bundle, bag, tmp_path / "data"), capsys)
        assert told[0] == code
    assert "data was collected with other settings: policy was " in told[1][1]
    assert len(EpisodeStore(tmp_path / "data")) == 1


def test_a_recording_of_the_same_policy_in_a_bundle_sealed_anew_is_added(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for later_s, name in enumerate(("one", "again")):
        bundle = write_bundle(tmp_path / name, arm_contract(), PROFILE)
        (bundle / f"{name}.txt").write_text("what changes no decision, as an installed profile")
        seal(bundle)
        bag = recorded(tmp_path / f"of {name}", digest=Bundle(bundle).digest, later_s=later_s)
        assert command(words_of(bundle, bag, tmp_path / "data"), capsys)[0] == 0
    assert len(EpisodeStore(tmp_path / "data")) == 2


def test_a_recording_is_added_once_wherever_it_lies(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle, out = write_bundle(tmp_path / "bundle", arm_contract(), PROFILE), tmp_path / "data"
    bag = recorded(tmp_path, digest=Bundle(bundle).digest)
    assert command(words_of(bundle, bag, out), capsys)[0] == 0
    copy = shutil.copytree(bag, tmp_path / "copy" / bag.name)
    told = command([*words_of(bundle, copy, out), "--success", "True"], capsys)
    assert (told[0], told[1][1]) == (
        1,
        f"robossl: {copy} is in {out} already: nothing is added, nor is --success changed\n",
    )
    assert len(EpisodeStore(out)) == 1


def test_an_addition_that_broke_off_is_completed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle, out = write_bundle(tmp_path / "bundle", arm_contract(), PROFILE), tmp_path / "data"
    words = words_of(bundle, recorded(tmp_path, digest=Bundle(bundle).digest), out)
    assert command(words, capsys)[0] == 0
    first = EpisodeStore(out)[0]
    monkeypatch.setattr(dataset_from_bag, "bag_episodes", lambda *_, **__: [first, replace(first, episode=1)])
    assert command(words, capsys)[0] == 0
    assert [EpisodeStore(out)[index].episode for index in range(2)] == [0, 1]


def test_what_an_earlier_robossl_added_is_added_to(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle, out = write_bundle(tmp_path / "bundle", arm_contract(), PROFILE), tmp_path / "data"
    bag = recorded(tmp_path, digest=Bundle(bundle).digest)
    (episode,) = bag_episodes(Recording(bag), arm_contract(), PROFILE, success=None)
    info = {"guard_changed": episode.info["guard_changed"]}
    made = {"recorded_by": "robossl bridge", "bundle": Bundle(bundle).digest, "profile": PROFILE.name}
    with EpisodeWriter(out, bag_spec(arm_contract()), made) as writer:
        writer.add(replace(episode, info=info))
    assert command(words_of(bundle, bag, out), capsys)[0] == 0
    assert len(EpisodeStore(out)) == 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"--bundle": "nowhere", "--profile": "panda"}, "nowhere is not a bundle"),
        ({"--profile": "two_joint"}, "unknown profile 'two_joint'"),
        ({"bag": "nowhere"}, "nowhere cannot be read"),
        ({}, "was recorded with another bundle or profile"),
    ],
)
def test_wrong_words_are_one_clear_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], changes: dict[str, str], message: str
) -> None:
    flags = {"--bundle": str(write_bundle(tmp_path / "bundle", arm_contract(), PROFILE)), "--profile": PROFILE.name}
    given = {"bag": str(recorded(tmp_path)), **flags, "--out": str(tmp_path / "data"), **changes}
    words = [word for name, value in given.items() for word in ([value] if name == "bag" else [name, value])]
    code, (_, err) = command(["dataset", "from-bag", *words], capsys)
    assert code in (1, 2)
    assert err.count("\n") == 1
    assert message in err
    assert not (tmp_path / "data").exists()


def _fields(spec: object) -> dict[str, object]:
    return {name: getattr(spec, name) for name in spec.__dataclass_fields__}  # type: ignore[attr-defined]
