"""The fast transport stands on asyncio: its tests run there, on the virtual clock, and on no other backend."""

from typing import Any

import pytest
from conftest import VirtualLoop

from coze_async._fast import _connection, _parser


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"loop_factory": VirtualLoop}


@pytest.fixture(params=["httptools", "h11"])
def parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both parsers, one after the other: what is promised does not depend on an extra."""
    name: str = request.param
    if name == "httptools":
        pytest.importorskip("httptools")
    else:
        monkeypatch.setattr(_connection, "parser_for", _parser.ByH11)
    return name
