"""Uploaded files."""

from pathlib import PurePath
from weakref import WeakValueDictionary

import anyio

from coze_async._config import Timeouts
from coze_async._core import Core
from coze_async._endpoint import Resource, get, post
from coze_async._errors import ConfigurationError
from coze_async._upload import FILES, FileSource, Progress, Upload
from coze_async._upload_cache import KEPT, UploadCache
from coze_async.models import File

__all__ = ["FilesResource"]


class FilesResource(Resource):
    """Uploaded files."""

    def __init__(self, core: Core) -> None:
        super().__init__(core)
        # What is being uploaded at this moment: who brings the same content waits for it.
        self._turns: WeakValueDictionary[str, anyio.Lock] = WeakValueDictionary()

    @post("/v1/files/upload", form=FILES, kind="upload")
    async def _upload(self, *, file: FileSource, timeouts: Timeouts | None = None) -> File:
        """Upload a file.

        Args:
            file: Up to 512 MB.
            timeouts: For this call, instead of the client's.

        Source: coze.cn page upload_files.
        """
        ...

    async def upload(
        self,
        file: FileSource,
        *,
        name: str | None = None,
        progress: Progress | None = None,
        dedupe: UploadCache | None = None,
        timeouts: Timeouts | None = None,
    ) -> File:
        """Upload a file for messages and workflows; its `id` is what they take as `file_id`.

        It is read and sent in pieces, never whole in memory. The service keeps it 3 months.

        Args:
            file: A path, bytes, a file opened with "rb", an async iterator of bytes, or an `Upload`. Up to 512 MB.
            name: The name of the file with its type, such as "report.pdf"; None takes it from the path. What has no
                name gets one by its first bytes.
            progress: Called with the bytes that were sent and all bytes, None if that is not known.
            dedupe: Remembers what was uploaded. The same content with the same type is sent once, and then found
                here; so it has to be readable twice, which an iterator is not.
            timeouts: For this call, instead of the client's.

        Raises:
            ConfigurationError: the file is missing, empty, too large, of another type than its name says, or was
                changed while it was read; the text says what to do.

        Source: coze.cn page upload_files.
        """
        if not isinstance(file, Upload):
            file = Upload(file, name=name, progress=progress)
        elif name is not None or progress is not None:
            raise ConfigurationError("Give name and progress to Upload(…), or to upload(…) and no Upload.")
        if dedupe is None:
            return await self._upload(file=file, timeouts=timeouts)
        content = await file.digest(FILES)
        # The service sees the type in the name, and an id is of use on its own server only.
        key = f"{self._core.session.base_url}#{content}{PurePath(file.name).suffix.lower()}"
        turn = self._turns.setdefault(key, anyio.Lock())
        async with turn:
            known = await dedupe.get(key)
            if known is None:
                known = await self._upload(file=file, timeouts=timeouts)
                await dedupe.set(key, known, KEPT)
        return known

    @get("/v1/files/retrieve")
    async def retrieve(self, *, file_id: str, timeouts: Timeouts | None = None) -> File:
        """Read metadata of an uploaded file.

        Args:
            file_id: Id returned by file upload.
            timeouts: For this call, instead of the client's.

        Source: coze.cn page retrieve_files.
        """
        ...
