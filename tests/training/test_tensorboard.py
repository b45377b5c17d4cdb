import io

import numpy as np
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import api_pb2, plugin_data_pb2
from training_runs import scalars

from robossl.training.gif import encode_gif
from robossl.training.tensorboard import TensorBoard, make_logger


def events(folder):
    accumulator = EventAccumulator(str(folder), size_guidance={"images": 0})
    accumulator.Reload()
    return accumulator


def test_a_video_in_the_event_file_is_a_gif_that_plays(tmp_path):
    frames = np.random.default_rng(0).integers(0, 256, (7, 20, 30, 3), np.uint8)
    tensorboard = TensorBoard(tmp_path)
    tensorboard.add_gif("eval/rollout_video", encode_gif(frames, 4.0), (20, 30), 12)
    tensorboard.add_image("eval/camera", frames[0], 12)
    tensorboard.close()
    (video,) = events(tmp_path).Images("eval/rollout_video")
    gif = Image.open(io.BytesIO(video.encoded_image_string))
    assert (gif.format, gif.n_frames, gif.size) == ("GIF", 7, (30, 20))
    assert (video.step, video.height, video.width) == (12, 20, 30)
    (picture,) = events(tmp_path).Images("eval/camera")
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(picture.encoded_image_string))), frames[0])


def test_sb3s_logger_writes_into_the_same_file(tmp_path):
    tensorboard = TensorBoard(tmp_path / "tb")
    logger = make_logger(tensorboard)
    logger.record("train/loss", 2.5)
    logger.dump(10)
    tensorboard.add_scalars({"eval/mean_reward": 1.5}, 10)
    logger.close()
    tensorboard.add_scalars({"eval/mean_reward": 3.5}, 20)
    tensorboard.close()
    assert len(list((tmp_path / "tb").iterdir())) == 1
    assert scalars(tmp_path) == {"train/loss": [(10, 2.5)], "eval/mean_reward": [(10, 1.5), (20, 3.5)]}


def test_the_table_is_printed_only_when_asked_for(tmp_path, capsys):
    for verbose in (False, True):
        tensorboard = TensorBoard(tmp_path / str(verbose))
        logger = make_logger(tensorboard, verbose=verbose)
        logger.record("train/loss", 2.5)
        logger.dump(10)
        tensorboard.close()
        assert ("loss" in capsys.readouterr().out) == verbose


def test_a_resumed_run_hides_what_came_after_its_checkpoint(tmp_path):
    for purge_step, values in ((None, {1: 1.0, 2: 2.0, 3: 3.0}), (3, {3: 30.0, 4: 40.0})):
        tensorboard = TensorBoard(tmp_path / "tb", purge_step=purge_step)
        for step, value in values.items():
            tensorboard.add_scalars({"a": value}, step)
        tensorboard.close()
    assert scalars(tmp_path) == {"a": [(1, 1.0), (2, 2.0), (3, 30.0), (4, 40.0)]}


def test_hyper_parameters_stand_beside_their_metrics_in_one_run(tmp_path):
    tensorboard = TensorBoard(tmp_path)
    tensorboard.add_hparams(
        {"learning_rate": 1e-3, "agent": "sac", "augment": True, "seed": 3}, ("eval/mean_reward",), trial="arm/1"
    )
    tensorboard.close()
    assert len(list(tmp_path.iterdir())) == 1
    content = events(tmp_path).PluginTagToContent("hparams")
    start = plugin_data_pb2.HParamsPluginData.FromString(content["_hparams_/session_start_info"]).session_start_info
    assert start.hparams["learning_rate"].number_value == 1e-3
    assert start.hparams["agent"].string_value == "sac"
    assert start.hparams["augment"].bool_value is True
    assert start.hparams["seed"].string_value == "3"
    assert start.group_name == "arm/1"
    experiment = plugin_data_pb2.HParamsPluginData.FromString(content["_hparams_/experiment"]).experiment
    assert [metric.name.tag for metric in experiment.metric_infos] == ["eval/mean_reward"]
    types = {info.name: api_pb2.DataType.Name(info.type) for info in experiment.hparam_infos}
    assert types == {
        "learning_rate": "DATA_TYPE_FLOAT64",
        "agent": "DATA_TYPE_STRING",
        "augment": "DATA_TYPE_BOOL",
        "seed": "DATA_TYPE_STRING",
    }
