"""Thousands of worlds on a GPU, or a few on a processor: MuJoCo Warp behind the `Engine` protocol."""
