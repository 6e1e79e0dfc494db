"""Knowledge bases, their documents and images."""

import base64
from datetime import datetime

from pydantic import Field

from coze_async.models._base import CozeModel, ResponseModel, as_datetime
from coze_async.models._enums import DocumentSourceType, DocumentUpdateType

__all__ = [
    "CrawlContent",
    "CrawlPagination",
    "Dataset",
    "DatasetCreated",
    "Document",
    "DocumentBase",
    "DocumentChunkStrategy",
    "DocumentFilterStrategy",
    "DocumentIndexStrategy",
    "DocumentParsingStrategy",
    "DocumentProgress",
    "DocumentSinkStrategy",
    "DocumentSourceInfo",
    "DocumentStorageStrategy",
    "DocumentTableColumn",
    "DocumentTableSheet",
    "DocumentUpdateRule",
    "OpenSearchConfig",
    "Photo",
    "VolcanoTabValue",
]


class DatasetCreated(ResponseModel):
    """A new knowledge base."""

    dataset_id: str
    """Knowledge base id."""


class DocumentChunkStrategy(CozeModel):
    """How documents are cut into segments: use `automatic` or `custom`."""

    chunk_type: int | None = None
    """0 automatic, 1 custom segmentation."""
    caption_type: int | None = None
    """Image caption mode: 0 auto, 1 manual."""
    max_tokens: int | None = None
    """Max segment length 100-2000; needed when chunk_type is 1."""
    remove_extra_spaces: bool | None = None
    """Collapse spaces, newlines and tabs."""
    remove_urls_emails: bool | None = None
    """Drop URLs and e-mails."""
    separator: str | None = None
    """Segment separator."""
    content_schema: int | None = None
    """Layout of the content; see `DocumentContentSchema`."""
    overlap: str | None = None
    """Overlap between segments."""
    max_level: str | None = None
    """Deepest heading level kept."""
    save_title: bool | None = None
    """Keep the title in segments."""

    @classmethod
    def automatic(cls) -> "DocumentChunkStrategy":
        """Return the service's own way of cutting and cleaning."""
        return cls(chunk_type=0)

    @classmethod
    def custom(
        cls,
        separator: str,
        max_tokens: int,
        *,
        remove_extra_spaces: bool = False,
        remove_urls_emails: bool = False,
    ) -> "DocumentChunkStrategy":
        """Return a way of cutting at a separator, into segments of at most so many tokens, 100-2000."""
        return cls(
            chunk_type=1,
            separator=separator,
            max_tokens=max_tokens,
            remove_extra_spaces=remove_extra_spaces,
            remove_urls_emails=remove_urls_emails,
        )


class Dataset(ResponseModel):
    """A knowledge base."""

    dataset_id: str
    """Knowledge base id."""
    name: str = ""
    description: str = ""
    space_id: str = ""
    """Workspace id."""
    status: int = 0
    """1 enabled, 3 disabled (others internal); see `DatasetStatus`."""
    format_type: int = 0
    """0 text, 1 table, 2 image; see `DocumentFormatType`."""
    can_edit: bool | None = None
    """Caller may edit it."""
    icon_url: str | None = None
    doc_count: int | None = None
    """Number of documents."""
    file_list: list[str] = Field(default_factory=list[str])
    """File names."""
    hit_count: int | None = None
    """Number of hits."""
    bot_used_count: int | None = None
    """Number of bots using it."""
    slice_count: int | None = None
    """Number of segments."""
    all_file_size: int | None = None
    """Total size of files in bytes."""
    chunk_strategy: DocumentChunkStrategy | None = None
    """Segmentation rule."""
    failed_file_list: list[str] = Field(default_factory=list[str])
    """Files that failed."""
    processing_file_list: list[str] = Field(default_factory=list[str])
    """Names of files in process."""
    processing_file_id_list: list[str] = Field(default_factory=list[str])
    """Ids of files in process."""
    avatar_url: str | None = None
    """Avatar image URL."""
    creator_id: str | None = None
    """Creator user id."""
    creator_name: str | None = None
    """Creator display name."""
    create_time: int | None = None
    """Creation time, Unix seconds."""
    update_time: int | None = None
    """Update time, Unix seconds."""
    icon_uri: str | None = None
    """Icon storage key."""
    project_id: str | None = None
    """Project (app) id."""
    storage_location: int | None = None
    """Where index data is stored; see `DatasetStorageLocation`."""
    dy_knowledge_id: str | None = None
    """Douyin knowledge id."""
    storage_config_id: str | None = None
    """Storage configuration id."""
    dy_bot_id: str | None = None
    """Douyin bot id."""
    dataset_type: int | None = None
    """0 Coze, 1 Volcano; see `DatasetType`."""

    @property
    def created(self) -> datetime | None:
        """When it was created."""
        return as_datetime(self.create_time)

    @property
    def updated(self) -> datetime | None:
        """When it was last changed."""
        return as_datetime(self.update_time)


class DocumentProgress(ResponseModel):
    """How far the processing of a document is."""

    document_id: str | None = None
    url: str | None = None
    size: int | None = None
    """Size in bytes."""
    type: str | None = None
    """File extension."""
    status: int = 0
    """0 processing, 1 done, 9 failed; see `DocumentStatus`."""
    progress: int | None = None
    """Progress in percent."""
    update_type: int = 0
    """0 no update, 1 update; see `DocumentUpdateType`."""
    document_name: str | None = None
    remaining_time: int | None = None
    """Estimated seconds left."""
    status_descript: str | None = None
    """Status detail or failure text."""
    update_interval: int | None = None
    """Update interval in hours, minimum 24."""


class DocumentTableColumn(CozeModel):
    """A column of a table document."""

    id: str | None = None
    """Identifier."""
    column_name: str | None = None
    is_semantic: bool | None = None
    """Column used for semantic match."""
    sequence: str | None = None
    """Column order."""
    column_type: int | None = None
    """Column data type; see `DocumentTableColumnType`."""
    contains_empty_value: bool | None = None
    """Column has empty cells."""
    desc: str | None = None
    """Description."""


class DocumentParsingStrategy(CozeModel):
    """How files are read."""

    parsing_type: int | None = None
    """Parsing mode; see `DocumentParsingType`."""
    image_extraction: bool | None = None
    """Extract images."""
    table_extraction: bool | None = None
    """Extract tables."""
    image_ocr: bool | None = None
    """Run OCR on images."""


class DocumentIndexStrategy(CozeModel):
    """How documents are indexed."""

    vector_indexing: bool | None = None
    """Build vector index."""
    keyword_indexing: bool | None = None
    """Build keyword index."""
    hierarchical_indexing: bool | None = None
    """Build hierarchical index."""
    model: str | None = None
    """Model name."""


class DocumentFilterStrategy(CozeModel):
    """Which pages of a file are read."""

    filter_page: list[float] = Field(default_factory=list[float])
    """Pages to skip."""
    filter_box_position: list[float] = Field(default_factory=list[float])
    """Page area to skip."""


class Document(ResponseModel):
    """A document of a knowledge base."""

    document_id: str
    char_count: int = 0
    """Number of characters."""
    chunk_strategy: DocumentChunkStrategy | None = None
    """Segmentation rule."""
    format_type: int = 0
    """0 text, 1 table, 2 image; see `DocumentFormatType`."""
    hit_count: int = 0
    """Number of hits."""
    name: str = ""
    size: int = 0
    """Size in bytes."""
    slice_count: int = 0
    """Number of segments."""
    source_type: int = 0
    """How the file was uploaded; see `DocumentSourceType`."""
    status: int = 0
    """0 processing, 1 done, 9 failed (others internal); see `DocumentStatus`."""
    type: str = ""
    """File extension."""
    update_interval: int = 0
    """Update interval in hours, minimum 24."""
    update_type: int = 0
    """0 no update, 1 update; see `DocumentUpdateType`."""
    create_time: int = 0
    """Creation time, Unix seconds."""
    update_time: int = 0
    """Update time, Unix seconds."""
    tos_uri: str | None = None
    """Object storage key."""
    bot_used_count: float | None = None
    """Number of bots using it."""
    creator_id: str | None = None
    """Creator user id."""
    table_meta: list[DocumentTableColumn] = Field(default_factory=list[DocumentTableColumn])
    """Table columns."""
    web_url: str | None = None
    """Web page URL."""
    status_descript: str | None = None
    """Status detail or failure text."""
    source_file_id: str | None = None
    """Id from file upload."""
    is_disconnect: bool | None = None
    """Source authorization lost."""
    space_id: str | None = None
    """Workspace id."""
    editable_update_rule: bool | None = None
    """Update rule may be changed."""
    editable_append_content: bool | None = None
    """Content may be appended."""
    imagex_uri: str | None = None
    """Image storage key."""
    doc_outline: str | None = None
    """Document outline."""
    parsing_strategy: DocumentParsingStrategy | None = None
    """Parsing options."""
    index_strategy: DocumentIndexStrategy | None = None
    """Indexing options."""
    filter_strategy: DocumentFilterStrategy | None = None
    """Page or area filter."""
    doc_tree_tos_url: str | None = None
    """URL of the document tree."""
    preview_tos_url: str | None = None
    review_id: str | None = None
    document_id_new: str | None = None
    """Document id as string."""

    @property
    def created(self) -> datetime | None:
        """When it was created."""
        return as_datetime(self.create_time)

    @property
    def updated(self) -> datetime | None:
        """When it was last changed."""
        return as_datetime(self.update_time)


class CrawlPagination(CozeModel):
    """How a crawler goes from page to page."""

    max_row_count: float | None = None
    """Maximum rows."""
    type: float | None = None
    next_page_xpath: str | None = None
    """XPath of the next-page control."""


class CrawlContent(CozeModel):
    """What a crawler takes from a page."""

    title: str | None = None
    headers: list[str] | None = None
    content: list[dict[str, str]] | None = None
    url: str | None = None
    marks: dict[str, str] | None = None
    """Marked page parts."""
    tags: list[str] | None = None
    pagination: CrawlPagination | None = None
    """Page-through settings."""
    sub_marks: dict[str, dict[str, str]] | None = None
    """Marked subpage parts."""


class DocumentSourceInfo(CozeModel):
    """Where a document comes from."""

    file_base64: str | None = None
    """File content in base64."""
    file_type: str | None = None
    """File extension such as txt, pdf, docx."""
    web_url: str | None = None
    """Web page URL."""
    source_file_id: str | None = None
    """Id from file upload."""
    document_source: int | None = None
    """Source kind of the file; see `DocumentSourceType`."""
    tos_uri: str | None = None
    """Object storage key."""
    web_id: str | None = None
    """Web crawl id."""
    custom_content: str | None = None
    """Inline text content."""
    crawl_content: CrawlContent | None = None
    """Crawled content."""
    imagex_uri: str | None = None
    """Image storage key."""
    review_id: str | None = None


class DocumentUpdateRule(CozeModel):
    """Whether and how often a web page is read again."""

    update_type: int
    """0 no update, 1 update; see `DocumentUpdateType`."""
    update_interval: int
    """Update interval in hours, minimum 24."""


class DocumentTableSheet(CozeModel):
    """Which part of a spreadsheet is taken."""

    sheet_id: str | None = None
    """Sheet number."""
    header_line_idx: str | None = None
    """Header row index."""
    start_line_idx: str | None = None
    """First data row index."""


class VolcanoTabValue(CozeModel):
    """A value of a Volcano setting."""

    type: int | None = None
    """One of `VolcanoTabType`."""
    local_input: str | None = None
    """Literal value."""
    param_source: int | None = None
    """Value origin; see `VolcanoParamSource`."""
    variable_ref: str | None = None
    """Variable reference."""


class DocumentBase(CozeModel):
    """A document to add: use `of_file_id`, `of_content` or `of_web_page`."""

    name: str
    source_info: DocumentSourceInfo
    """Where the file comes from."""
    update_rule: DocumentUpdateRule | None = None
    """Update rule for web pages."""
    table_meta: list[DocumentTableColumn] | None = None
    """Table columns."""
    table_sheet: DocumentTableSheet | None = None
    """Sheet to import."""
    filter_strategy: DocumentFilterStrategy | None = None
    """Page or area filter."""
    caption: str | None = None
    """Text description of the image."""
    volcano_tab_kv: dict[str, VolcanoTabValue] | None = None
    """Volcano tab values."""

    @classmethod
    def of_file_id(cls, name: str, file_id: str) -> "DocumentBase":
        """Return a document made of an uploaded file, by the id that `files.upload` returned."""
        source = DocumentSourceInfo(source_file_id=file_id, document_source=DocumentSourceType.UPLOAD_FILE_ID)
        return cls(name=name, source_info=source)

    @classmethod
    def of_content(cls, name: str, content: bytes, file_type: str) -> "DocumentBase":
        """Return a document made of the content of a file; `file_type` is its extension, such as "txt" or "pdf"."""
        encoded = base64.b64encode(content).decode()
        source = DocumentSourceInfo(
            file_base64=encoded, file_type=file_type.lstrip("."), document_source=DocumentSourceType.LOCAL_FILE
        )
        return cls(name=name, source_info=source)

    @classmethod
    def of_web_page(cls, name: str, web_url: str, *, update_hours: int | None = None) -> "DocumentBase":
        """Return a document made of a web page, read again every so many hours (24 at least); None reads it once."""
        source = DocumentSourceInfo(web_url=web_url, document_source=DocumentSourceType.ONLINE_WEB)
        kind = DocumentUpdateType.NO_AUTO_UPDATE if update_hours is None else DocumentUpdateType.AUTO_UPDATE
        rule = DocumentUpdateRule(update_type=kind, update_interval=24 if update_hours is None else update_hours)
        return cls(name=name, source_info=source, update_rule=rule)


class DocumentSinkStrategy(CozeModel):
    """Where documents are put."""

    check_index: bool | None = None


class OpenSearchConfig(CozeModel):
    """An OpenSearch to store in."""

    region: str | None = None
    instance_id: str | None = None
    public_endpoint: str | None = None
    username: str | None = None
    """User name."""
    password: str | None = None
    instance_name: str | None = None


class DocumentStorageStrategy(CozeModel):
    """Where the index is stored."""

    storage_location: int
    """Where index data is stored; see `DatasetStorageLocation`."""
    open_search_config: OpenSearchConfig | None = None
    """OpenSearch connection."""


class Photo(ResponseModel):
    """An image of a knowledge base."""

    document_id: str
    url: str | None = None
    name: str | None = None
    size: int | None = None
    """Size in bytes."""
    type: str | None = None
    """File extension."""
    status: int = 0
    """0 processing, 1 done, 9 failed; see `PhotoStatus`."""
    caption: str | None = None
    """Text description of the image."""
    creator_id: str | None = None
    """Creator user id."""
    source_type: int = 0
    """How the file was uploaded; see `DocumentSourceType`."""
    create_time: int | None = None
    """Creation time, Unix seconds."""
    update_time: int | None = None
    """Update time, Unix seconds."""

    @property
    def created(self) -> datetime | None:
        """When it was created."""
        return as_datetime(self.create_time)

    @property
    def updated(self) -> datetime | None:
        """When it was last changed."""
        return as_datetime(self.update_time)
