"""Episodes on disk, the replay on a device, samplers and augmentation."""

from robossl.data.augment import photometric, random_resized_crop, random_shift
from robossl.data.batches import TransitionBatch, WindowBatch
from robossl.data.episode import Episode
from robossl.data.episode_store import EpisodeStore
from robossl.data.episode_writer import EpisodeWriter
from robossl.data.replay import Replay

__all__ = [
    "Episode",
    "EpisodeStore",
    "EpisodeWriter",
    "Replay",
    "TransitionBatch",
    "WindowBatch",
    "photometric",
    "random_resized_crop",
    "random_shift",
]
