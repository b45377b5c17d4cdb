"""Self-supervised objectives, for pretraining and as auxiliary losses alike."""
