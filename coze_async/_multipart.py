"""multipart/form-data as bytes: what stands before and after the content of a file."""

import secrets
from collections.abc import Sequence

__all__ = ["form_frame", "new_boundary"]

# As browsers do it (HTML standard, multipart/form-data encoding algorithm): these would end the quoted name.
_ESCAPES = str.maketrans({'"': "%22", "\r": "%0D", "\n": "%0A"})


def new_boundary() -> str:
    """Return a boundary that nobody can guess, so that no content can hold it: 128 random bits."""
    return secrets.token_hex(16)


def form_frame(
    boundary: str, fields: Sequence[tuple[str, str]], file: tuple[str, str, str] | None = None
) -> tuple[bytes, bytes]:
    """Return what is sent before the content of the file, and after it; together they are a form without a file.

    Args:
        boundary: Stands between the parts; it must not occur in them.
        fields: Names and texts, in order.
        file: The name of the field, the name of the file and its content type; None for a form without a file.
    """
    parts = [_part(boundary, f'name="{_escaped(name)}"') + text.encode() + b"\r\n" for name, text in fields]
    if file is None:
        return b"".join(parts), f"--{boundary}--\r\n".encode()
    name, file_name, content_type = file
    parts.append(_part(boundary, f'name="{_escaped(name)}"; filename="{_escaped(file_name)}"', content_type))
    return b"".join(parts), f"\r\n--{boundary}--\r\n".encode()


def _part(boundary: str, named: str, content_type: str | None = None) -> bytes:
    typed = f"Content-Type: {content_type}\r\n" if content_type else ""
    return f"--{boundary}\r\nContent-Disposition: form-data; {named}\r\n{typed}\r\n".encode()


def _escaped(name: str) -> str:
    return name.translate(_ESCAPES)
