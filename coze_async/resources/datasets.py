"""Knowledge bases, their documents and images."""

from collections.abc import Sequence

from coze_async._config import Timeouts
from coze_async._core import Core
from coze_async._endpoint import Resource, delete, get, post, put
from coze_async._pages import ByNumber, Pages
from coze_async.models import (
    Dataset,
    DatasetCreated,
    Document,
    DocumentBase,
    DocumentChunkStrategy,
    DocumentIndexStrategy,
    DocumentParsingStrategy,
    DocumentProgress,
    DocumentSinkStrategy,
    DocumentStorageStrategy,
    DocumentTableColumn,
    DocumentUpdateRule,
    Photo,
)

__all__ = [
    "DatasetsResource",
    "DocumentsResource",
    "ImagesResource",
    "KnowledgeDocumentsResource",
    "KnowledgeResource",
]

# The gateway then takes and returns ids of 64 bits as texts (cozepy 0.20, coze-js).
_INT64_AS_TEXT = {"Agw-Js-Conv": "str"}


class DocumentsResource(Resource, place="datasets.documents"):
    """The documents of a knowledge base."""

    @post(
        "/open_api/knowledge/document/create", payload=("document_infos", "data.document_infos"), headers=_INT64_AS_TEXT
    )
    async def create(
        self,
        *,
        dataset_id: str,
        document_bases: Sequence[DocumentBase],
        chunk_strategy: DocumentChunkStrategy | None = None,
        format_type: int | None = None,
        sink_strategy: DocumentSinkStrategy | None = None,
        is_append: bool | None = None,
        parsing_strategy: DocumentParsingStrategy | None = None,
        index_strategy: DocumentIndexStrategy | None = None,
        storage_strategy: DocumentStorageStrategy | None = None,
        timeouts: Timeouts | None = None,
    ) -> list[Document]:
        """Add documents to a knowledge base.

        Args:
            dataset_id: The knowledge base.
            document_bases: What to add, 10 at most; see `DocumentBase`.
            chunk_strategy: Segmentation rule.
            format_type: 0 text, 1 table, 2 images; see `DocumentFormatType`.
            sink_strategy: Where documents are put.
            is_append: True appends to a document that is there.
            parsing_strategy: How files are read.
            index_strategy: How documents are indexed.
            storage_strategy: Where the index is stored.
            timeouts: For this call, instead of the client's.

        Source: coze.cn page create_knowledge_files.
        """
        ...

    @post(
        "/open_api/knowledge/document/update",
        payload=("document_info", "data.document_info"),
        headers=_INT64_AS_TEXT,
        safe=True,
    )
    async def update(
        self,
        *,
        document_id: str,
        document_name: str | None = None,
        update_rule: DocumentUpdateRule | None = None,
        status: int | None = None,
        table_meta: Sequence[DocumentTableColumn] | None = None,
        timeouts: Timeouts | None = None,
    ) -> Document | None:
        """Rename a document or change how often it is read again; None if the server does not return it.

        Args:
            document_id: The document.
            document_name: The new name.
            update_rule: Whether and how often a web page is read again.
            status: Status, see `DocumentStatus`.
            table_meta: The columns of a table.
            timeouts: For this call, instead of the client's.

        Source: coze.cn page modify_knowledge_files.
        """
        ...

    @post("/open_api/knowledge/document/delete", headers=_INT64_AS_TEXT, safe=True)
    async def delete(
        self,
        *,
        document_ids: Sequence[str],
        document_ids_new: Sequence[str] | None = None,
        dataset_id: str | None = None,
        timeouts: Timeouts | None = None,
    ) -> None:
        """Delete documents.

        Args:
            document_ids: The documents, 100 at most.
            document_ids_new: For internal use of the service.
            dataset_id: The knowledge base.
            timeouts: For this call, instead of the client's.

        Source: coze.cn page delete_knowdge_files.
        """
        ...

    @post(
        "/open_api/knowledge/document/list",
        payload=(),
        pages=ByNumber(items="document_infos", key="document_id", page="page", size="size", may_begin_at_0=True),
        headers=_INT64_AS_TEXT,
    )
    def list(
        self,
        *,
        dataset_id: str,
        page: int = 1,
        size: int = 10,
        document_ids: Sequence[str] | None = None,
        keyword: str | None = None,
        timeouts: Timeouts | None = None,
    ) -> Pages[Document]:
        """List documents of a knowledge base.

        Args:
            dataset_id: The knowledge base.
            page: The page to begin with, from 1; a server that counts from 0, as Coze Studio does, is noticed.
            size: Items per page.
            document_ids: The documents.
            keyword: A part of the name.
            timeouts: For this call, instead of the client's.

        Source: coze.cn page list_knowledge_files.
        """
        ...


class ImagesResource(Resource, place="datasets.images"):
    """The images of a knowledge base."""

    @put("/v1/datasets/{dataset_id}/images/{document_id}", safe=True)
    async def update(
        self, *, dataset_id: str, document_id: str, caption: str, timeouts: Timeouts | None = None
    ) -> None:
        """Change the caption of an image.

        Args:
            dataset_id: The knowledge base.
            document_id: The document.
            caption: Text description of the image.
            timeouts: For this call, instead of the client's.

        Source: coze.cn page update_image_caption.
        """
        ...

    @get(
        "/v1/datasets/{dataset_id}/images", pages=ByNumber(items="photo_infos", key="document_id", total="total_count")
    )
    def list(
        self,
        *,
        dataset_id: str,
        page_num: int = 1,
        page_size: int = 10,
        keyword: str | None = None,
        has_caption: bool | None = None,
        timeouts: Timeouts | None = None,
    ) -> Pages[Photo]:
        """List images of a knowledge base.

        Args:
            dataset_id: The knowledge base.
            page_num: The page to begin with, from 1.
            page_size: Items per page, 299 at most.
            keyword: A part of the caption.
            has_caption: True for those with a caption, False for those without.
            timeouts: For this call, instead of the client's.

        Source: coze.cn page get_images.
        """
        ...


class KnowledgeDocumentsResource(DocumentsResource, place="knowledge.documents"):
    """Documents, under their older name; the same as `datasets.documents`."""


class DatasetsResource(Resource):
    """Knowledge bases."""

    def __init__(self, core: Core) -> None:
        super().__init__(core)
        self.documents: DocumentsResource = DocumentsResource(core)
        self.images: ImagesResource = ImagesResource(core)

    @post("/v1/datasets/{dataset_id}/process", payload=("data.data",), numbers=("document_ids",), safe=True)
    async def process(
        self, *, dataset_id: str, document_ids: Sequence[str], timeouts: Timeouts | None = None
    ) -> list[DocumentProgress]:
        """Read how far the processing of documents is; Coze Studio takes the ids as numbers, which is found out.

        Args:
            dataset_id: The knowledge base.
            document_ids: The documents.
            timeouts: For this call, instead of the client's.

        Source: coze.cn page get_dataset_progress.
        """
        ...

    @post("/v1/datasets")
    async def create(
        self,
        *,
        name: str,
        space_id: str,
        format_type: int,
        description: str | None = None,
        file_id: str | None = None,
        project_id: str | None = None,
        timeouts: Timeouts | None = None,
    ) -> DatasetCreated:
        """Create a knowledge base.

        Args:
            name: The name.
            space_id: The workspace.
            format_type: 0 text, 1 table, 2 images; see `DocumentFormatType`.
            description: What it is for.
            file_id: An uploaded picture as its icon.
            project_id: The app.
            timeouts: For this call, instead of the client's.

        Source: coze.cn page create_dataset.
        """
        ...

    @get("/v1/datasets", pages=ByNumber(items="dataset_list", key="dataset_id", total="total_count"))
    def list(
        self,
        *,
        space_id: str,
        name: str | None = None,
        format_type: int | None = None,
        page_size: int = 10,
        page_num: int = 1,
        project_id: str | None = None,
        timeouts: Timeouts | None = None,
    ) -> Pages[Dataset]:
        """List knowledge bases.

        Args:
            space_id: The workspace.
            name: The name.
            format_type: 0 text, 1 table, 2 images; see `DocumentFormatType`.
            page_size: Items per page, 300 at most.
            page_num: The page to begin with, from 1.
            project_id: The app.
            timeouts: For this call, instead of the client's.

        Source: coze.cn page list_dataset.
        """
        ...

    @put("/v1/datasets/{dataset_id}", safe=True)
    async def update(
        self,
        *,
        dataset_id: str,
        name: str,
        description: str | None = None,
        file_id: str | None = None,
        timeouts: Timeouts | None = None,
    ) -> None:
        """Change a knowledge base; what is not given takes its default again.

        Args:
            dataset_id: The knowledge base.
            name: The new name.
            description: What it is for.
            file_id: An uploaded picture as its icon; None takes the usual one again.
            timeouts: For this call, instead of the client's.

        Source: coze.cn page update_dataset.
        """
        ...

    @delete("/v1/datasets/{dataset_id}", safe=True)
    async def delete(self, *, dataset_id: str, timeouts: Timeouts | None = None) -> None:
        """Delete a knowledge base.

        Args:
            dataset_id: The knowledge base.
            timeouts: For this call, instead of the client's.

        Source: coze.cn page delete_dataset.
        """
        ...


class KnowledgeResource(Resource):
    """Older names of `datasets`."""

    def __init__(self, core: Core) -> None:
        super().__init__(core)
        self.documents: KnowledgeDocumentsResource = KnowledgeDocumentsResource(core)
