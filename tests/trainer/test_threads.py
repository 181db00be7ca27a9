"""Pieces of work side by side, and the threads as they were afterwards."""

import pytest

pytestmark = pytest.mark.slow


def test_batches_side_by_side_keep_their_order_and_give_the_threads_back() -> None:
    import torch

    from trainer.threads import side_by_side

    before, used = torch.get_num_threads(), []

    def decode(batch: int) -> int:
        used.append(torch.get_num_threads())
        return -batch

    assert list(side_by_side(decode, list(range(8)))) == [-number for number in range(8)]
    assert max(used) <= max(1, before // min(before, 8))
    assert torch.get_num_threads() == before
    assert list(side_by_side(decode, [7])) == [-7]
    assert used[-1] == before
