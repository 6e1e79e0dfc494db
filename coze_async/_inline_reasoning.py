"""Reasoning that a model writes into its answer, between `<think>` and `</think>`, apart from the answer."""

__all__ = ["InlineReasoning", "without_reasoning"]

_OPEN, _CLOSE = "<think>", "</think>"


class InlineReasoning:
    """Separates one answer, piece by piece; a tag may be cut between two pieces."""

    __slots__ = ("_held", "_place")

    def __init__(self) -> None:
        # What may be the beginning of a tag.
        self._held: str = ""
        self._place: str = "start"

    @property
    def has_text(self) -> bool:
        """True once a piece of the answer itself was returned."""
        return self._place == "text"

    def feed(self, piece: str) -> tuple[str, str]:
        """Return the text and the reasoning that are certain with this piece."""
        piece, self._held = self._held + piece, ""
        reasoning = ""
        if self._place == "start":
            begun = piece.lstrip()
            if _OPEN.startswith(begun):
                # Nothing but blanks, or a part of the tag, or exactly the tag.
                self._place = "reasoning" if begun == _OPEN else "start"
                self._held = "" if begun == _OPEN else piece
                return "", ""
            self._place = "reasoning" if begun.startswith(_OPEN) else "text"
            piece = begun.removeprefix(_OPEN) if self._place == "reasoning" else piece
        if self._place == "reasoning":
            reasoning, found, piece = piece.partition(_CLOSE)
            if not found:
                held = next(size for size in range(len(_CLOSE) - 1, -1, -1) if reasoning.endswith(_CLOSE[:size]))
                self._held = reasoning[len(reasoning) - held :]
                return "", reasoning[: len(reasoning) - held]
            self._place = "between"
        if self._place == "between":
            piece = piece.lstrip()
            self._place = "text" if piece else "between"
        return piece, reasoning

    def end(self) -> tuple[str, str]:
        """Return what was held back, when the answer is over."""
        held, self._held = self._held, ""
        return ("", held) if self._place == "reasoning" else (held, "")


def without_reasoning(text: str) -> tuple[str, str]:
    """Return a whole answer without the reasoning at its start, and the reasoning."""
    inline = InlineReasoning()
    (answer, thought), (rest, more) = inline.feed(text), inline.end()
    return answer + rest, thought + more
