"""Knowledge bases, their documents and images."""

from collections.abc import Sequence

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


class DocumentsResource(Resource):
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
    ) -> list[Document]:
        """Add documents to a knowledge base.

        Args:
            dataset_id: Knowledge base id.
            document_bases: Files to create, at most 10.
            chunk_strategy: Segmentation rule.
            format_type: 0 text, 1 table, 2 image, see `DocumentFormatType`.
            sink_strategy: Sink options.
            is_append: Append to an existing document.
            parsing_strategy: Parsing options.
            index_strategy: Indexing options.
            storage_strategy: Storage options.

        Source: coze.cn page create_knowledge_files.
        """
        ...

    @post(
        "/open_api/knowledge/document/update", payload=("document_info", "data.document_info"), headers=_INT64_AS_TEXT
    )
    async def update(
        self,
        *,
        document_id: str,
        document_name: str | None = None,
        update_rule: DocumentUpdateRule | None = None,
        status: int | None = None,
        table_meta: Sequence[DocumentTableColumn] | None = None,
    ) -> Document:
        """Rename a document or change its refresh rule.

        Args:
            document_id: Document id.
            document_name: Document name.
            update_rule: Update rule for web pages.
            status: Status, see `DocumentStatus`.
            table_meta: Table columns.

        Source: coze.cn page modify_knowledge_files.
        """
        ...

    @post("/open_api/knowledge/document/delete", headers=_INT64_AS_TEXT)
    async def delete(
        self,
        *,
        document_ids: Sequence[str],
        document_ids_new: Sequence[str] | None = None,
        dataset_id: str | None = None,
    ) -> None:
        """Delete documents.

        Args:
            document_ids: Document ids.
            document_ids_new: Alternative ids (internal).
            dataset_id: Knowledge base id.

        Source: coze.cn page delete_knowdge_files.
        """
        ...

    @post(
        "/open_api/knowledge/document/list",
        payload=(),
        pages=ByNumber(items="document_infos", page="page", size="size"),
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
    ) -> Pages[Document]:
        """List documents of a knowledge base.

        Args:
            dataset_id: Knowledge base id.
            page: Page number, from 1.
            size: Items per page.
            document_ids: Document ids.
            keyword: Name filter.

        Source: coze.cn page list_knowledge_files.
        """
        ...


class ImagesResource(Resource):
    """The images of a knowledge base."""

    @put("/v1/datasets/{dataset_id}/images/{document_id}", safe=True)
    async def update(self, *, dataset_id: str, document_id: str, caption: str) -> None:
        """Change the caption of an image.

        Args:
            dataset_id: Knowledge base id.
            document_id: Document id.
            caption: Text description of the image.

        Source: coze.cn page update_image_caption.
        """
        ...

    @get("/v1/datasets/{dataset_id}/images", pages=ByNumber(items="photo_infos", total="total_count"))
    def list(
        self,
        *,
        dataset_id: str,
        page_num: int = 1,
        page_size: int = 10,
        keyword: str | None = None,
        has_caption: bool | None = None,
    ) -> Pages[Photo]:
        """List images of a knowledge base.

        Args:
            dataset_id: Knowledge base id.
            page_num: Page number, from 1.
            page_size: Items per page.
            keyword: Caption filter.
            has_caption: Filter by presence of a caption.

        Source: coze.cn page get_images.
        """
        ...


class KnowledgeDocumentsResource(Resource):
    """Documents, under their older name; the same as `datasets.documents`."""

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
    ) -> list[Document]:
        """Legacy alias of datasets.documents.create.

        Args:
            dataset_id: Knowledge base id.
            document_bases: Files to create, at most 10.
            chunk_strategy: Segmentation rule.
            format_type: 0 text, 1 table, 2 image, see `DocumentFormatType`.
            sink_strategy: Sink options.
            is_append: Append to an existing document.
            parsing_strategy: Parsing options.
            index_strategy: Indexing options.
            storage_strategy: Storage options.

        Source: coze.cn page create_knowledge_files.
        """
        ...

    @post(
        "/open_api/knowledge/document/update", payload=("document_info", "data.document_info"), headers=_INT64_AS_TEXT
    )
    async def update(
        self,
        *,
        document_id: str,
        document_name: str | None = None,
        update_rule: DocumentUpdateRule | None = None,
        status: int | None = None,
        table_meta: Sequence[DocumentTableColumn] | None = None,
    ) -> Document:
        """Legacy alias of datasets.documents.update.

        Args:
            document_id: Document id.
            document_name: Document name.
            update_rule: Update rule for web pages.
            status: Status, see `DocumentStatus`.
            table_meta: Table columns.

        Source: coze.cn page modify_knowledge_files.
        """
        ...

    @post("/open_api/knowledge/document/delete", headers=_INT64_AS_TEXT)
    async def delete(
        self,
        *,
        document_ids: Sequence[str],
        document_ids_new: Sequence[str] | None = None,
        dataset_id: str | None = None,
    ) -> None:
        """Legacy alias of datasets.documents.delete.

        Args:
            document_ids: Document ids.
            document_ids_new: Alternative ids (internal).
            dataset_id: Knowledge base id.

        Source: coze.cn page delete_knowdge_files.
        """
        ...

    @post(
        "/open_api/knowledge/document/list",
        payload=(),
        pages=ByNumber(items="document_infos", page="page", size="size"),
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
    ) -> Pages[Document]:
        """Legacy alias of datasets.documents.list.

        Args:
            dataset_id: Knowledge base id.
            page: Page number, from 1.
            size: Items per page.
            document_ids: Document ids.
            keyword: Keyword or variable name.

        Source: coze.cn page list_knowledge_files.
        """
        ...


class DatasetsResource(Resource):
    """Knowledge bases."""

    def __init__(self, core: Core) -> None:
        super().__init__(core)
        self.documents = DocumentsResource(core)
        self.images = ImagesResource(core)

    @post("/v1/datasets/{dataset_id}/process", payload=("data.data",))
    async def process(self, *, dataset_id: str, document_ids: Sequence[str]) -> list[DocumentProgress]:
        """Read indexing progress of documents.

        Args:
            dataset_id: Knowledge base id.
            document_ids: Document ids.

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
    ) -> DatasetCreated:
        """Create a knowledge base.

        Args:
            name: Name.
            space_id: Workspace id.
            format_type: 0 text, 1 table, 2 image, see `DocumentFormatType`.
            description: Description text.
            file_id: Icon file id.
            project_id: Project (app) id.

        Source: coze.cn page create_dataset.
        """
        ...

    @get("/v1/datasets", pages=ByNumber(items="dataset_list", total="total_count"))
    def list(
        self,
        *,
        space_id: str,
        name: str | None = None,
        format_type: int | None = None,
        page_size: int = 10,
        page_num: int = 1,
        project_id: str | None = None,
    ) -> Pages[Dataset]:
        """List knowledge bases.

        Args:
            space_id: Workspace id.
            name: Name.
            format_type: 0 text, 1 table, 2 image, see `DocumentFormatType`.
            page_size: Items per page.
            page_num: Page number, from 1.
            project_id: Project (app) id.

        Source: coze.cn page list_dataset.
        """
        ...

    @put("/v1/datasets/{dataset_id}", safe=True)
    async def update(
        self, *, dataset_id: str, name: str, description: str | None = None, file_id: str | None = None
    ) -> None:
        """Change a knowledge base.

        Args:
            dataset_id: Knowledge base id.
            name: Name; omitted fields reset to default.
            description: Description text.
            file_id: Icon file id; omitted value resets icon.

        Source: coze.cn page update_dataset.
        """
        ...

    @delete("/v1/datasets/{dataset_id}", safe=True)
    async def delete(self, *, dataset_id: str) -> None:
        """Delete a knowledge base.

        Args:
            dataset_id: Knowledge base id.

        Source: coze.cn page delete_dataset.
        """
        ...


class KnowledgeResource(Resource):
    """Older names of `datasets`."""

    def __init__(self, core: Core) -> None:
        super().__init__(core)
        self.documents = KnowledgeDocumentsResource(core)
