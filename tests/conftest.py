"""What every test may rely on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Nothing of this machine's cache is used, and nothing is left in it. "auto" is torch: the same everywhere."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STREAMHMM_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("STREAMHMM_BACKEND", "torch")
        yield
