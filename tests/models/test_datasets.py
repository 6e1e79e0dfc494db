"""Documents to add to a knowledge base, as people name them."""

import base64

from coze_async.models import DocumentBase, DocumentChunkStrategy


def sent(document: DocumentBase) -> dict[str, object]:
    return document.model_dump(exclude_none=True)


def test_a_document_is_made_of_an_uploaded_file() -> None:
    assert sent(DocumentBase.of_file_id("a.pdf", "7001")) == {
        "name": "a.pdf",
        "source_info": {"source_file_id": "7001", "document_source": 5},
    }


def test_a_document_is_made_of_content() -> None:
    assert sent(DocumentBase.of_content("a.txt", "龙井".encode(), ".txt")) == {
        "name": "a.txt",
        "source_info": {
            "file_base64": base64.b64encode("龙井".encode()).decode(),
            "file_type": "txt",
            "document_source": 0,
        },
    }


def test_a_document_is_made_of_a_web_page_that_is_read_once_or_again() -> None:
    source = {"web_url": "https://example.org", "document_source": 1}
    once = {"update_type": 0, "update_interval": 24}
    again = {"update_type": 1, "update_interval": 48}
    page = DocumentBase.of_web_page("p", "https://example.org")
    assert sent(page) == {"name": "p", "source_info": source, "update_rule": once}
    page = DocumentBase.of_web_page("p", "https://example.org", update_hours=48)
    assert sent(page) == {"name": "p", "source_info": source, "update_rule": again}


def test_segments_are_cut_by_the_service_or_at_a_separator() -> None:
    assert DocumentChunkStrategy.automatic().model_dump(exclude_none=True) == {"chunk_type": 0}
    assert DocumentChunkStrategy.custom("\n\n", 800, remove_extra_spaces=True).model_dump(exclude_none=True) == {
        "chunk_type": 1,
        "separator": "\n\n",
        "max_tokens": 800,
        "remove_extra_spaces": True,
        "remove_urls_emails": False,
    }
