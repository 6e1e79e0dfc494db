"""The fast wire stands on asyncio: its tests run there, on the virtual clock, and on no other backend."""

from typing import TYPE_CHECKING, Any

import pytest
from conftest import VirtualLoop

from coze_async._wire._fast import _connection, _parser

if TYPE_CHECKING:
    from authority import Authority


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"loop_factory": VirtualLoop}


@pytest.fixture(params=["httptools", "h11"])
def parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both parsers, one after the other: what is promised does not depend on an extra."""
    name: str = request.param
    if name == "httptools":
        pytest.importorskip("httptools")
        if _parser.parser_for is _parser.by_h11:
            pytest.skip("this httptools is too old to be used")
    else:
        monkeypatch.setattr(_connection, "parser_for", _parser.by_h11)
    return name


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> "Authority":
    """Who signs the certificates of a module's servers."""
    from authority import Authority

    return Authority(tmp_path_factory.mktemp("authority"))
