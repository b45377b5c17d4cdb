from robossl.bench import replay as bench


def test_a_transition_takes_at_most_a_fifth_of_stable_baselines3s():
    figures = bench.run(num_repeats=3)
    assert figures["sb3_bytes_per_transition"] == 2 * 9 * 64 * 64 + 4 * 2 + 4 + 4 + 4
    assert figures["bytes_per_transition"] == (3 * 64 * 64 + 4 * 2 + 4 + 1 + 16) * 201 / 200
    assert figures["bytes_ratio"] <= 0.2
    assert figures["window_frames_per_s"] > 0
