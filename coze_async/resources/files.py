"""Uploaded files."""

from coze_async._endpoint import Resource, get
from coze_async.models import File

__all__ = ["FilesResource"]


class FilesResource(Resource):
    """Uploaded files."""

    @get("/v1/files/retrieve")
    async def retrieve(self, *, file_id: str) -> File:
        """Read metadata of an uploaded file.

        Args:
            file_id: Id returned by file upload.

        Source: coze.cn page retrieve_files.
        """
        ...
