"""One thread, since torch's own fight over cores that others need; no memory of warnings."""

from collections.abc import Iterator

import pytest
import torch

from secure_clove.learn.normalisation import tell


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def _warned_of_nothing() -> None:
    tell.cache_clear()
