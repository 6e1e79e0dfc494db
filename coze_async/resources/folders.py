"""Folders of a workspace."""

from coze_async._config import Timeouts
from coze_async._endpoint import Resource, get
from coze_async._pages import ByNumber, Pages
from coze_async.models import SimpleFolder

__all__ = ["FoldersResource"]


class FoldersResource(Resource):
    """The folders of a workspace."""

    @get("/v1/folders", pages=ByNumber(total="total_count"))
    def list(
        self,
        *,
        workspace_id: str,
        folder_type: str,
        page_size: int = 20,
        page_num: int = 1,
        parent_folder_id: str | None = None,
        timeouts: Timeouts | None = None,
    ) -> Pages[SimpleFolder]:
        """List folders of a workspace.

        Args:
            workspace_id: The workspace.
            folder_type: `development` or `library`, see `FolderType`.
            page_size: Items per page, 50 at most.
            page_num: The page to begin with, from 1.
            parent_folder_id: Only what lies in this folder.
            timeouts: For this call, instead of the client's.

        Source: coze.cn page workspace_list_folder.
        """
        ...

    @get("/v1/folders/{folder_id}")
    async def retrieve(self, *, folder_id: str, timeouts: Timeouts | None = None) -> SimpleFolder:
        """Read one folder.

        Args:
            folder_id: The folder.
            timeouts: For this call, instead of the client's.

        Source: coze.cn page workspace_read_folder.
        """
        ...
