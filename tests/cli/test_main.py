"""A person's mistakes: one clear line, and an exit code that is not 0."""

import json
import os
import signal
import subprocess
import sys
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import pytest

from robossl.cli import doctor
from robossl.cli.compose import resolved
from robossl.cli.machine import machine
from robossl.cli.main import VERBS, main
from robossl.cli.settings import TrainSettings
from robossl.core import UserError, idle_cores
from robossl.core.processor import num_cores


def run(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    captured = capsys.readouterr()
    return int(stop.value.code or 0), captured.out, captured.err


_EVAL_ARM = ["eval", "--env", "robossl/ArmPush-v0", "--policy", "random", "--episodes", "2"]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["trian"], 2, "unknown command 'trian'; did you mean 'train'?"),
        (["train"], 2, "what shall be trained?"),
        (["train", "quickstrat"], 2, "did you mean 'quickstart'?"),
        (
            ["train", "quickstart", "--agent.gama", "1"],
            2,
            "unknown argument '--agent.gama'; did you mean '--agent.gamma'?",
        ),
        (["train", "quickstart", "--agent.gamma", "x"], 2, "--agent.gamma"),
        (["train", "quickstart", "--agent.gamma", "7"], 1, "gamma"),
        (["train", "quickstart", "--env"], 2, "--env needs a value"),
        (["train", "--env", "robossl/RingCoridor-v0"], 2, "did you mean 'robossl/RingCorridor-v0'?"),
        (["train", "quickstart", "--env.renderer", "rays"], 2, "robossl: invalid choice 'rays' for argument"),
        (["train", "quickstart", "--env.observations", "rgb_frnt"], 2, "did you mean 'rgb_front'?"),
        (["train", "quickstart", "--device", "cuda:99"], 1, "cuda:99"),
        (["train", "quickstart", "--num-threads", "100000"], 1, "num-threads must be in 1..1024, got 100000"),
        (["train", "quickstart", "--env.num-threads", "0"], 1, "env.num-threads must be in 1..1024, got 0"),
        (["bench", "learn", "--env", "robossl/ArmReach-v0"], 2, "--env is for `sim` and `all`; `learn` takes none"),
        (["train", "--resume", "nowhere"], 1, "nowhere is not a run"),
        (["eval", "nowhere"], 1, "nowhere is not a run"),
        (["eval"], 2, "give a run"),
        (["record", "--policy", "expert"], 2, "give a run"),
        (["collect", "--env", "Pusher-v55"], 2, "did you mean 'Pusher-v5'?"),
        (["pretrain"], 2, "--data FOLDER is needed"),
        (["pretrain", "--data", "nowhere"], 1, "nowhere is not a dataset"),
        (["dataset", "inof", "x"], 2, "did you mean 'info'?"),
        (
            ["dataset", "info", "--json", "x"],
            2,
            "unexpected argument 'x': it is `robossl dataset info FOLDER`, and flags come after that",
        ),
        (["dataset", "render", "--num-threads", "1", "x"], 2, "it is `robossl dataset render FOLDER`, and flags"),
        (["envs", "shwo"], 2, "did you mean 'show'?"),
        (["bench", "smi"], 2, "did you mean 'sim'?"),
        (["train", "--resume"], 2, "--resume needs a value"),
        (["train", "quickstart", "--agent", "sacc"], 2, "did you mean 'sac'?"),
        (["train", "quickstart", "--agnet", "sac"], 2, "did you mean '--agent'?"),
        (["train", "quickstart", "more"], 2, "unexpected argument 'more'"),
        (["train", "quickstart", "--evaluation.score", "distnce_mean"], 2, "did you mean 'distance_mean'?"),
        (["train", "quickstart", "--encoder-options.mode", "scratch"], 1, "a pretrained encoder was given"),
        (["train", "quickstart", "--agent", "ppo", "--agent.n-steps", "0"], 1, "n-steps must be at least 1"),
        (["train", "quickstart", "--pretrain.collect.policy", "exprt"], 2, "expert"),
        (["record", "nowhere", "--env", "robossl/RingCorridor-v0"], 2, "give a run or --env ID, not both"),
        (["eval", "nowhere", "--env", "robossl/RingCorridor-v0"], 2, "give a run or --env ID, not both"),
        (["eval", "nowhere", "--devcie", "cpu"], 2, "did you mean '--device'?"),
        (["pretrain", "--resume", "nowhere"], 1, "nowhere is not a run of pretrain"),
        (["collect", "", "-n", "10"], 2, "the first argument is empty"),
        (["collect", "--", "-n", "10"], 2, "leave out '--': what follows a command are its flags, each with its value"),
        (["collect", "--env", "os:Foo-v0"], 1, "'os:Foo-v0': module 'os' registers no 'Foo-v0' with Gymnasium"),
        (["collect", "--env.observations", "proprio", "proprio"], 1, "names some more than once: proprio proprio"),
        (["collect", "arm-push", "--collect.hold-steps", "nan"], 1, "collect.hold-steps must be at least 1, got nan"),
        (["pretrain", "inverse-dynamics", "--objectives.0.weight", "nan"], 1, "weight must be a finite number"),
        (["pretrain", "tov-vicreg", "--pretrain.batch-size", "1"], 1, "batch-size must be at least 2 for tov_vicreg"),
        (["train", "quickstart", "--pretrain.pretrain.batch-size", "1"], 1, "must be at least 2 for tov_vicreg, got 1"),
        (["train", "arm-reach", "--encoder-options.mode", "frozen"], 1, "mode frozen needs encoder-options.weights"),
        (
            ["train", "arm-reach", "--agent.learning-starts", "0"],
            1,
            "agent.learning-starts must be at least the number of worlds, 16, got 0",
        ),
        (["train", "arm-reach", "--encoder-options.learning-rate", "nan"], 1, "learning-rate must be positive"),
        (["train", "quickstart", "--device", "meta"], 1, "device 'meta' cannot be used"),
        (["train", "quickstart", "--env.image-size", "64"], 2, "--env.image-size takes INT INT or None, got '64'"),
        (["train", "quickstart", "--augment.shift-px", "2"], 2, "no augment here; a preset of your own adds it"),
        (["train", "arm-reach", "--pretrain.probe.held-out", "0"], 2, "no pretrain here; a preset of your own adds it"),
        (["train", "quickstart", "--test-episodes", "0"], 1, "test-episodes must be at least 1, got 0"),
        (["pretrain", "--frame-stack", "0"], 1, "frame-stack must be at least 1, got 0"),
        (["doctor", "--seconds", "nan"], 1, "seconds must be positive and finite, got nan"),
        (["doctor", "--seconds", "0"], 1, "seconds must be positive and finite, got 0.0"),
        (["collect", "ring-corridor", "--out", ""], 2, "--out is empty: is a variable not set?"),
        (["bench", "replay", "--engine", "warp"], 2, "--engine is for `sim` and `all`; `replay` takes none"),
        (["bench", "loop", "--markdown"], 2, "--markdown is for `sim` and `all`; `loop` takes none"),
        (["bench", "sim", "--env", "robossl/ArmPsh-v0"], 2, "did you mean 'robossl/ArmPush-v0'?"),
        ([*_EVAL_ARM, "--deterministic"], 2, "--deterministic is so already; --no-deterministic is the other way"),
        ([*_EVAL_ARM, "--checkpoint", "7"], 2, "--checkpoint 7 is for a run's agent; --policy random has none"),
        ([*_EVAL_ARM, "--no-deterministic"], 2, "--no-deterministic is for a run's agent; --policy random has none"),
        ([*_EVAL_ARM, "--device", "cpu"], 2, "--device cpu is for a run's agent; --policy random has none"),
        (
            ["collect", "arm-push", "--collect.policy", "expert", "--collect.hold-steps", "3"],
            2,
            "--collect.hold-steps 3 is for --collect.policy random; an expert holds no action",
        ),
        (
            [*_EVAL_ARM, "--delay-ms", "1"],
            1,
            "a delay of 1 ms acts as none: it is rounded to whole physics steps, here of 8",
        ),
        ([*_EVAL_ARM, "--delay-ms", "-4"], 1, "delay-ms must be finite and not negative, got -4"),
        ([*_EVAL_ARM, "--randomise.frictoin", "1"], 2, "unknown randomisation 'frictoin'; did you mean 'friction'?"),
        ([*_EVAL_ARM, "--randomise.friction", "1.5", "0.5"], 1, "a range goes from low to high, got 1.5 0.5"),
        ([*_EVAL_ARM, "--sensors.propio.delay-s", "1"], 2, "did you mean 'proprio'?"),
        ([*_EVAL_ARM, "--difficulty", "extreme"], 2, "invalid choice 'extreme' for argument"),
        (
            ["eval", "--env", "Pusher-v5", "--policy", "random", "--difficulty", "hard"],
            1,
            "Pusher-v5 has no levels of difficulty",
        ),
    ],
)
def test_a_mistake_is_one_line(
    arguments: list[str],
    code: int,
    message: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    found, _, errors = run(arguments, capsys)
    assert found == code
    assert message in errors
    assert errors.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("steps", "is_told"), [("992", True), ("993", False)])
def test_a_run_that_ends_before_its_agent_learns_says_so(
    steps: str, is_told: bool, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "taken").write_text("")
    _, _, errors = run(["train", "arm-reach", "-n", steps, "-f", str(tmp_path / "taken")], capsys)
    told = "nothing will be learned: the run ends after 992 steps, agent.learning-starts is 1,000\n"
    assert (told in errors) == is_told
    assert "cannot create a run folder" in errors


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run([verb, "--help"], capsys)
    assert code == 0
    assert f"robossl {verb}" in out


def test_random_driver_is_evaluated_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    words = [
        "eval",
        "--env",
        "robossl/RingCorridor-v0",
        "--policy",
        "random",
        "--episodes",
        "3",
        "--seed",
        "7",
        "--json",
    ]
    code, out, _ = run(words, capsys)
    figures = json.loads(out.splitlines()[-1])
    assert code == 0
    assert figures["env"] == "robossl/RingCorridor-v0"
    assert figures["episodes"] == 3
    assert {"success_rate", "return_mean", "distance_mean", "collision_rate"} <= set(figures)


def test_a_policy_is_evaluated_at_the_level_that_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["eval", "--env", "robossl/RoomsPointGoal-v0", "--policy", "random", "--episodes", "2", "--seed", "7"]
    for level, length in (("easy", 200), ("medium", 400)):
        code, out, _ = run([*words, "--difficulty", level, "--json"], capsys)
        assert code == 0
        assert json.loads(out.splitlines()[-1])["length_mean"] == length


def test_cameras_are_drawn(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, out, _ = run(["envs", "show", "robossl/ArmPush-v0", "--out", str(tmp_path), "--json"], capsys)
    pictures = json.loads(out.splitlines()[-1])["pictures"]
    assert code == 0
    assert {"static", "wrist", "sheet", "appearances"} <= set(pictures)
    assert "force_torque: float32[5, 6] in each of 5 rows: 0 force_x_n, 1 force_y_n" in out
    assert all(Path(path).read_bytes().startswith(b"\x89PNG") for path in pictures.values())


def test_a_folder_that_cannot_be_made_is_one_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    words = ["collect", "--env.num-worlds", "1", "--out", str(tmp_path / "file" / "data")]
    code, _, errors = run(words, capsys)
    assert code == 1
    assert "cannot make the folder" in errors
    assert errors.count("\n") == 1


def test_a_package_that_is_missing_is_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def absent(name: str) -> None:
        raise ModuleNotFoundError("No module named 'mujoco'", name="mujoco")

    monkeypatch.setattr("importlib.import_module", absent)
    code, _, errors = run(["envs"], capsys)
    assert code == 1
    assert "needs the module 'mujoco', which is not installed; it comes with robossl: install that again" in errors
    assert errors.count("\n") == 1


def test_too_little_memory_is_one_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise MemoryError("Unable to allocate 4.85 TiB")

    monkeypatch.setattr("robossl.cli.report.run", refuse)
    code, _, errors = run(["report", str(tmp_path)], capsys)
    assert (code, errors) == (1, "robossl: there is too little memory: Unable to allocate 4.85 TiB\n")


def test_doctor_tells_what_is_missing(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def none_works(name: str, seconds: float) -> int:
        raise UserError("no display")

    def nothing_installed(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr("robossl.cli.doctor._frames_per_s", none_works)
    monkeypatch.setattr("robossl.cli.doctor.version", nothing_installed)
    code, out, errors = run(["doctor", "--json"], capsys)
    assert code == 1
    assert "not installed: pip install mujoco" in out
    assert "extra deploy         not installed: pip install 'robossl[deploy]'" in out
    assert "off: no display" in out
    assert "no renderer works" in out
    assert json.loads(out.splitlines()[-1])["mujoco"] is None
    assert errors == ""


def test_doctor_tells_what_it_has_found_while_it_looks_on(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {}

    def rate(name: str, seconds: float) -> int:
        before[name] = capsys.readouterr().out
        return 5

    monkeypatch.setattr("robossl.cli.doctor._frames_per_s", rate)
    assert run(["doctor"], capsys)[0] == 0
    assert before["raycast"].splitlines()[0].startswith("python")
    assert before["gl"].split() == ["renderer", "raycast", "5", "frames/s", "of", "64x64", "pixels"]


def test_doctor_fails_where_a_package_cannot_be_imported(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("robossl.cli.doctor._frames_per_s", lambda name, seconds: 1)
    monkeypatch.setitem(sys.modules, "tensorboard", None)  # its metadata are there
    code, out, _ = run(["doctor", "--json"], capsys)
    assert code == 1
    assert "not installed: pip install tensorboard" in out
    assert set(json.loads(out.splitlines()[-1])["extras"]) == {"deploy", "ros", "warp"}


def test_doctor_names_a_variable_that_keeps_mujoco_from_starting(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    importing: dict[str, Any] = {"__name__": "mujoco.rendering.classic.gl_context"}
    exec("def refuse(*arguments): raise AttributeError('a library that is absent')", importing)
    monkeypatch.setattr("robossl.cli.doctor._frames_per_s", importing["refuse"])
    monkeypatch.setenv("MUJOCO_GL", "nonsense")
    code, out, _ = run(["doctor"], capsys)
    assert code == 1
    told = "MuJoCo cannot start with MUJOCO_GL=nonsense: unset it, robossl looks for EGL and OSMesa"
    assert out.splitlines()[-1].split(maxsplit=1) == ["recommended", told]
    assert out.count(f"off: {told}") == 2


@pytest.mark.parametrize(
    ("idle", "choice", "told"),
    [
        ({"answer_us": 8.0, "awake_answer_us": None}, "", "answer in 8.0 us"),
        ({"answer_us": 50.0, "awake_answer_us": 7.0}, "", "at work robossl keeps them awake: 7.0 us"),
        ({"answer_us": 50.0, "awake_answer_us": None}, "forbidden", "`sudo chmod o+w"),
        ({"answer_us": 50.0, "awake_answer_us": None}, "sleep", "without ROBOSSL_IDLE_CORES=sleep"),
        ({"answer_us": None, "awake_answer_us": None}, "", "no other core"),
    ],
)
def test_doctor_tells_how_fast_idle_cores_answer(
    idle: dict[str, Any], choice: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (device := tmp_path / "device").touch()
    monkeypatch.setattr(doctor, "DEVICE", device)
    monkeypatch.setattr(doctor, "may_be_kept_awake", lambda: choice != "forbidden")
    monkeypatch.setattr(doctor, "is_told_not_to", lambda: choice == "sleep")
    assert told in doctor._answers(idle)


@pytest.mark.parametrize(("verb", "is_work"), [("collect", True), ("envs", False), ("bridge", False)])
def test_long_work_keeps_idle_cores_awake(
    verb: str, is_work: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (device := tmp_path / "device").touch()
    monkeypatch.delenv(idle_cores.CHOICE, raising=False)
    monkeypatch.setattr(idle_cores, "DEVICE", device)
    monkeypatch.setattr(idle_cores, "answer_us", lambda: 50.0)
    seen = []
    monkeypatch.setattr(f"robossl.cli.{verb}.run", lambda words: seen.append(idle_cores.are_kept_awake()))
    assert run([verb], capsys) == (0, "", "")
    assert seen == [is_work]
    assert not idle_cores.are_kept_awake()


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs a system that confines processes to cores")
def test_a_process_confined_to_one_core_uses_one_thread() -> None:
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(before)})
        settings = resolved(TrainSettings(device="cpu"))
        assert num_cores() == 1
        assert (settings.num_threads, settings.env.num_threads) == (1, 1)
        assert machine()["cores"] == 1
    finally:
        os.sched_setaffinity(0, before)


@pytest.mark.parametrize(
    ("chosen", "spins"),
    [({}, "3000"), ({"GOMP_SPINCOUNT": "77"}, "77"), ({"OMP_WAIT_POLICY": "passive"}, "0")],
)
def test_the_threads_of_torch_wait_for_a_moment_only(chosen: dict[str, str], spins: str) -> None:
    plain = {name: value for name, value in os.environ.items() if name not in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")}
    told = subprocess.run(
        [sys.executable, "-c", "from robossl.cli.main import main; main(['train', '--help'])"],
        env={**plain, **chosen, "OMP_DISPLAY_ENV": "verbose"},
        capture_output=True,
        text=True,
        check=True,
    ).stderr
    if "GOMP_SPINCOUNT" not in told:
        pytest.skip("needs a torch that is built with GNU's OpenMP")
    assert f"GOMP_SPINCOUNT = '{spins}'" in told


def test_what_is_randomised_and_sensed_is_evaluated(capsys: pytest.CaptureFixture[str]) -> None:
    words = [*_EVAL_ARM, "--json", "--randomise.mass", "0.1", "--sensors.proprio.noise-std", "0.1"]
    figures = [
        json.loads(run([*words, *more], capsys)[1].splitlines()[-1]) for more in ([], ["--randomise.push", "50"])
    ]
    assert figures[0]["episodes"] == 2
    assert figures[0]["distance_mean"] != figures[1]["distance_mean"]


def test_a_graphics_library_that_mujoco_cannot_start_with_is_one_line() -> None:
    words = [sys.executable, "-c", "from robossl.cli.main import main; main(['envs', 'show', 'robossl/ArmPush-v0'])"]
    done = subprocess.run(words, env={**os.environ, "MUJOCO_GL": "none"}, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert (
        done.stderr == "robossl: MuJoCo cannot start with MUJOCO_GL=none: unset it, robossl looks for EGL and OSMesa\n"
    )


@pytest.mark.parametrize(("presses", "code"), [(1, 0), (2, -signal.SIGINT)])
def test_one_ctrl_c_after_all_was_said_changes_nothing(presses: int, code: int) -> None:
    press = (
        f"import atexit, os, signal; [atexit.register(os.kill, os.getpid(), signal.SIGINT) for _ in range({presses})]"
    )
    start = f"{press}; import sys; sys.argv[1:] = ['--version']; from robossl.cli.main import main; main()"
    ended = subprocess.run([sys.executable, "-c", start], capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stderr) == (code, "")
    assert ended.stdout.startswith("robossl ")


def test_letters_that_a_terminal_cannot_show_are_written_out() -> None:
    code = "from robossl.cli import main; main._run = lambda words: print('drawn: é') or 0; main.main(['envs'])"
    shell = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=shell, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "drawn: \\xe9\n", "")
