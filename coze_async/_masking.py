"""What a recording must not hold: credentials never, and what people wrote and who they are only if it is wished for.

A mask is as long as what it hides, character by character and byte by byte: letters become `x` (`某` and the like where
a letter has more bytes), digits `0`, the digits of numbers `1`; blanks and punctuation stay. What stays is named here
(ids, codes, types, counts, times, the server's own words), all else is masked, so that a field that nobody knows yet is
masked too.
"""

import functools
import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from coze_async._envelope import content_type_of
from coze_async._errors import ConfigurationError
from coze_async._logging import TOKEN

__all__ = ["KEEPABLE", "Masking"]

KEEPABLE = ("content", "users")

# Names are read as words, however they are joined: x-api-key, privateKey, access_tokens.
_KEYS = r"(?:api|secret|access|private|session|sign(?:ing)?|encrypt(?:ion)?|auth|client|account|shared)_?key"
_SECRETS = rf"token|secret|passw(?:or)?d|passphrase|pwd|cookie|credential|jwt|bearer|authorization|{_KEYS}"
# A credential, wherever it stands, with all that stands below it.
_CREDENTIAL = re.compile(
    rf".*(?:{_SECRETS}|assertion|code_verifier|device_code|user_code|auth_code|signature|sess(?:ion)?_?id|file_base64)s?"
    r"|(?:.*_)?(?:auth|sig|sign|ak|sk)|pass|verification_ur[il]_complete"
)
# A part or another form of one, unless the last word says that it is only about one: its type, its end.
_OF_CREDENTIAL = re.compile(rf"(?:^|_)(?:{_SECRETS})s?_")
_ABOUT_CREDENTIAL = re.compile(
    r"counts?|type|total|usage|limit|num|size|length|cost|price|status|mode|details|in|at|time|expires|expiry|ttl|ur[il]"
    r"|endpoint"
)
# What counts tokens.
_COUNT = re.compile(
    r"(?:.*_)?(?:input|output|prompt|completion|total|max|min|reasoning|cached|used|left|remaining|context|audio|text"
    r"|image)_tokens?"
)
# Which page comes next.
_CURSOR = re.compile(r"(?:next_)?page_token")
_COUNTING = ("/v1/workflow", "/v3/chat", "/v1/conversation")
_FEW_DIGITS = re.compile(r"[0-9]{1,9}")
# A name and its value, as in an address: what stands behind the name of a credential is one.
_PARAMETER = re.compile(r"([A-Za-z0-9_.-]{2,64})=([^&\s\"'<>#;,\\]+)")
_JOINTS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|[^A-Za-z0-9]+")
_USER = re.compile(
    r"(?:.*_)?(?:user_ids?|uids?|user_name|user_nickname|user_unique_name|user|username|nick_?name|avatar|avatar_url"
    r"|e?mail|phone|mobile|creator_name|(?:creator|owner|member|operator|author|open|web)_ids?)$",
    re.IGNORECASE,
)
# A pair, as variables and headers come in: the first of these says what the second holds.
_LABEL = re.compile(r"(?:.*_)?(?:key|keyword|name|field|header|variable|param(?:eter)?|label)")
_HELD = re.compile(r"(?:.*_)?(?:values?|default)")
_PAIR = re.compile(r'(?:values?|default)"\s*:', re.IGNORECASE)
# What has an id and a name below these is somebody.
_PERSON = re.compile(r"(?:.*_)?(?:creator|owner|member|operator|author|user|collaborator)s?(?:_info)?")
_OF_A_PERSON = frozenset({"id", "name"})
_MAIL = re.compile(r"(?<![\w.+-])[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_PHONE = re.compile(r"(?<!\d)(?:(?:\+?86[- ]?)?1[3-9]\d{9}(?!\d)|\+\d[\d ()-]{6,14}\d)")
# Words of a request that an answer may quote; where words have no blanks, so many characters of them.
_LONG_WORD = re.compile(r"\w{5,}")
_WIDE = re.compile(r"[\u2e80-\U0003ffff]+")
_QUOTED = 4
_EVENTS = re.compile(r"^(?:event|data):", re.MULTILINE)
# Whose ids stand in paths.
_USER_IN_PATH = re.compile(r"(/(?:collaborators|members)/)([^/]+)")
_KEPT = re.compile(
    r"(?:.*_)?(?:id|ids|uuid|count|time|at|type|status|code|mode|index|size|total|num|tokens)$"
    r"|is_.*|has_.*"
    r"|token|(?:next_)?page_token|usage|cost|msg|error|error_message|logid|debug_url|help_doc|event|role|stream|score|finish_reason"
    r"|from_module|from_unit|scope|expires_in|interval|order|limit|page|bytes|auto_save_history|format|version",
    re.IGNORECASE,
)
# What stands below these was named by people, whatever it is called.
_OPAQUE = re.compile(
    r"parameters|custom_variables|variables|meta_data|output|outputs|input|inputs|arguments|ext|extra|extra_params"
    r"|properties|headers|value|values",
    re.IGNORECASE,
)
# JSON inside a text was written by a bot, but for the envelopes of verbose messages, recalls and objects.
_KEPT_INSIDE = frozenset({"msg_type", "finish_reason", "status_code", "file_id", "score", "from_module", "from_unit"})
_OBJECTS = frozenset({"text", "image", "file", "audio"})

_RESPONSE_HEADERS = re.compile(
    r"content-(?:type|length)|transfer-encoding|retry-after|cache-control|x-tt-logid|x-log-id|x-accel-buffering"
    r"|server|via|date|connection|vary|allow"
)
_CLOUDS = re.compile(r"(?:[a-z0-9-]+\.)*coze\.(?:cn|com|emulator)|localhost|127\.0\.0\.1|\[::1\]")

_JSON_PARTS = re.compile(r'"((?:[^"\\]|\\.)*+\\?)("|\Z)|[{}\[\],:]|[^\s"{}\[\],:]+', re.DOTALL)
_CHARACTERS = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\.|.", re.DOTALL
)
_NUMBER = re.compile(r"-?[0-9.eE+-]+")
_WORDS = ("true", "false", "null", "NaN", "Infinity", "-Infinity")
_LINES = re.compile(r"([^\r\n]*)(\r\n|\r|\n|\Z)")
_SHORT_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}
# Shorter texts would blank ordinary words where they are repeated.
_SHORTEST = 3
# A shorter credential may well be a word, as "any" or "chat": it is looked for in words only, not in ids and values.
_SECRET_VALUE = 8
# But for the one that a client has sent, if it does not look like a word of the wire.
_LIKE_A_WORD = re.compile(r"[A-Za-z]+(?:_[A-Za-z]{2,})*")
# In the names of fields and events, and inside of words, only what is too long to be a name itself is looked for.
_SECRET_NAME = 16
# How many texts without credentials are remembered.
_MOST_REPEATED = 1024
# The server's own words, which may repeat what it was told.
_SAYING = frozenset({"msg", "error", "error_message"})


class _Placeholders(dict[int, int | str]):
    """What stands for each character: one of as many bytes in UTF-8."""

    def __missing__(self, code: int) -> int | str:
        character = chr(code)
        stands: int | str = code
        if 0xDC80 <= code <= 0xDCFF:
            # One byte that was no UTF-8 where it was read.
            stands = "x"
        elif character.isspace() or code == 0xFEFF or 0xD800 <= code <= 0xDFFF:
            pass
        elif code < 0x80:
            stands = "0" if character.isdigit() else "x" if character.isalpha() else code
        elif code < 0x800:
            stands = "é"
        else:
            stands = "某" if code < 0x10000 else "𝑥"
        self[code] = stands
        return stands


_PLACEHOLDERS = _Placeholders()


class _Meaning(NamedTuple):
    """What the values under a name are."""

    is_credential: bool
    is_count: bool
    is_user: bool
    is_person: bool
    is_kept: bool
    is_opaque: bool
    is_label: bool
    is_held: bool


# A stream says the same few names again and again; names that people make up must not pile up.
@functools.lru_cache(maxsize=1024)
def _meaning(name: str) -> _Meaning:
    words = _JOINTS.sub("_", name).strip("_").lower()
    is_count = bool(_COUNT.fullmatch(words) or _CURSOR.fullmatch(words))
    return _Meaning(
        is_credential=_names_credential(words),
        is_count=is_count,
        is_user=bool(_USER.fullmatch(words)),
        is_person=bool(_PERSON.fullmatch(words)),
        is_kept=bool(_KEPT.fullmatch(name)),
        is_opaque=bool(_OPAQUE.fullmatch(name)),
        is_label=bool(_LABEL.fullmatch(words)),
        is_held=bool(_HELD.fullmatch(words)),
    )


def _names_credential(words: str) -> bool:
    if _CREDENTIAL.fullmatch(words):
        return True
    return _OF_CREDENTIAL.search(words) is not None and not _ABOUT_CREDENTIAL.fullmatch(words.rpartition("_")[2])


def _masked(text: str) -> str:
    return text.translate(_PLACEHOLDERS)


class _Place(NamedTuple):
    """Where in a JSON text a value stands: its key, whose names the keys are, and of what it is a part."""

    key: str = ""
    is_inside: bool = False
    is_opaque: bool = False
    is_secret: bool = False
    is_of_a_person: bool = False

    @property
    def is_user(self) -> bool:
        return _meaning(self.key).is_user or (self.is_of_a_person and self.key in _OF_A_PERSON)


_ENDS = re.compile(r"[A-Za-z0-9]")


@functools.lru_cache(maxsize=1024)
def _below(place: _Place, name: str, *, is_secret: bool = False) -> _Place:
    """Return the place of what has this name in the object, or in the list, that stands here."""
    meaning = _meaning(place.key)
    return _Place(
        name,
        place.is_inside,
        is_opaque=place.is_opaque or meaning.is_opaque,
        is_secret=is_secret or place.is_secret or meaning.is_credential,
        is_of_a_person=meaning.is_person,
    )


def _hide(found: re.Match[str]) -> str:
    return _masked(found[0])


def _without(text: str, hidden: Iterable[str], *, keeps_users: bool) -> str:
    """Return a text without these, and without what looks like a credential or, if it is not kept, like a user."""
    # The longest first: one may be a part of another.
    for known in sorted(hidden, key=len, reverse=True):
        if known not in text:
            continue
        if len(known) >= _SECRET_NAME:
            text = text.replace(known, _masked(known))
        else:
            # "any" is not what "many" holds.
            before = r"(?<![A-Za-z0-9])" if _ENDS.match(known[0]) else ""
            after = r"(?![A-Za-z0-9])" if _ENDS.match(known[-1]) else ""
            text = re.sub(before + re.escape(known) + after, _hide, text)
    text = TOKEN.sub(_hide, text)
    if "=" in text:
        text = _PARAMETER.sub(functools.partial(_without_value, keeps_users=keeps_users), text)
    return text if keeps_users or "@" not in text else _MAIL.sub(_hide, text)


def _parts(run: str) -> Iterator[str]:
    return (run[at : at + _QUOTED] for at in range(len(run) - _QUOTED + 1))


def _without_parts(run: str, parts: Collection[str]) -> str:
    shown = list(run)
    for at, part in enumerate(_parts(run)):
        if part in parts:
            shown[at : at + _QUOTED] = _masked(part)
    return "".join(shown)


def _without_value(found: re.Match[str], *, keeps_users: bool) -> str:
    meaning = _meaning(found[1])
    is_hidden = meaning.is_credential or (meaning.is_user and not keeps_users)
    return f"{found[1]}={_masked(found[2])}" if is_hidden else found[0]


@dataclass
class Masking:
    """Masks exchanges, also in several threads, and remembers their credentials, in case somebody repeats them.

    Attributes:
        keep: Personal data that stay: "content" (what people and bots wrote, names, parameters, files), "users".
    """

    keep: Collection[str] = ()
    _secrets: frozenset[str] = field(default_factory=frozenset[str], repr=False)
    _sent: frozenset[str] = field(default_factory=frozenset[str], repr=False)
    _safe: dict[tuple[str, int], str] = field(default_factory=dict[tuple[str, int], str], repr=False)

    def __post_init__(self) -> None:
        if isinstance(self.keep, str) or not set(self.keep) <= set(KEEPABLE):
            raise ConfigurationError(
                f"keep={self.keep!r} is not understood: choose from {', '.join(map(repr, KEEPABLE))}, as in "
                "keep={'content'}. Credentials are never kept."
            )

    @property
    def kept(self) -> tuple[str, ...]:
        """What stays, in order."""
        return tuple(sorted(set(self.keep)))

    def exchange(self, path: str, headers: Mapping[str, str] | None = None) -> "ExchangeMasking":
        """Begin with an exchange.

        Args:
            path: Where its request goes.
            headers: What its request carries.
        """
        for name, value in (headers or {}).items():
            if _meaning(name).is_credential:
                sent = (*value.split()[-1:], *(part.partition("=")[2].strip() for part in value.split(";")))
                self.learn(*sent)
                self._learn_sent(*sent)
        return ExchangeMasking(self, path)

    def learn(self, *secrets: str) -> None:
        """Remember credentials."""
        new = self._secrets.union(secret for secret in secrets if len(secret) >= _SHORTEST)
        if len(new) > len(self._secrets):
            # New ones, for a thread may be reading the old.
            self._secrets = new
            self._safe = {}

    def _learn_sent(self, *secrets: str) -> None:
        """Look for these everywhere, though they are short: no word of the wire looks like that."""
        new = self._sent.union(
            secret for secret in secrets if len(secret) >= _SHORTEST and not _LIKE_A_WORD.fullmatch(secret)
        )
        if len(new) > len(self._sent):
            self._sent = new
            self._safe = {}

    @property
    def secrets(self) -> Iterable[str]:
        """Credentials that were seen."""
        return self._secrets

    def safe(self, text: str, *, shortest: int = _SECRET_VALUE) -> str:
        """Return a text without credentials.

        Args:
            text: An id, a status and the like.
            shortest: Shorter credentials stay, unless a client has sent them: what is decided by may read the same.
        """
        # A stream repeats its ids and names in every event.
        known = self._safe
        safe = known.get((text, shortest))
        if safe is None:
            if len(known) >= _MOST_REPEATED:
                known.clear()
            secrets = self._sent.union(secret for secret in self._secrets if len(secret) >= shortest)
            safe = known[text, shortest] = _without(text, secrets, keeps_users="users" in self.keep)
        return safe

    def safe_name(self, name: str) -> str:
        """Return the name of a field or an event without credentials."""
        return self.safe(name, shortest=_SECRET_NAME)


class ExchangeMasking:
    """Masks one exchange: what was masked in its request is masked where the answer repeats it."""

    def __init__(self, masking: Masking, path: str) -> None:
        self._masking = masking
        # A code is as good as a credential where one logs in.
        self._is_login = "/oauth" in path.lower()
        self._keeps_content = "content" in masking.keep
        self._keeps_users = "users" in masking.keep
        self._known: set[str] = set()
        self._asked: frozenset[str] = frozenset()
        # Coze Studio counts tokens under the name `token`.
        self._is_counting = path.startswith(_COUNTING)
        self._is_answer = False

    def server(self, url: str) -> str:
        """Return who is asked; only hosts that everybody knows stay."""
        scheme, _, host = url.partition("://")
        name = host.rpartition(":")[0] or host
        return url if self._keeps_users or _CLOUDS.fullmatch(name) else f"{scheme}://{_masked(host)}"

    def path(self, path: str) -> str:
        """Return where a request goes; who stands in a path is hidden like anybody else."""
        path = self._safe(path)
        return path if self._keeps_users else _USER_IN_PATH.sub(lambda found: found[1] + self._hidden(found[2]), path)

    def query(self, query: Mapping[str, str | list[str]]) -> dict[str, str | list[str]]:
        """Return the names and values behind a path."""
        return {
            self._masking.safe_name(name): self._text(value, _Place(name))
            if isinstance(value, str)
            else [self._text(one, _Place(name)) for one in value]
            for name, value in query.items()
        }

    def request_body(self, content: bytes) -> Any:
        """Return what the JSON of a request says.

        Raises:
            ValueError: it is no JSON.
        """
        text = content.decode()
        json.loads(text)
        masked = json.loads(self._json(text, _Place()))
        self._asked = frozenset(self._known)
        return masked

    def headers(self, headers: Mapping[str, str]) -> dict[str, str]:
        """Return the headers of an answer that say something about it and about nobody."""
        lower = ((name.lower(), value) for name, value in headers.items())
        return {name: self._safe(value) for name, value in lower if _RESPONSE_HEADERS.fullmatch(name)}

    def body(self, status: int, headers: Mapping[str, str], content: bytes) -> bytes | None:
        """Return the body of an answer, as long as before; None if its content has to be withheld."""
        self._is_answer = True
        kind = content_type_of(headers)
        text = content.decode("utf-8", "surrogateescape")
        opening = text.lstrip("\ufeff \t\r\n")[:1]
        is_text = kind.startswith("text/") or "json" in kind or not kind
        if is_text and opening in ("{", "["):
            text = self._json(text, _Place())
        elif kind == "text/event-stream" or (is_text and _EVENTS.search(text)):
            # A gateway may call a stream a text.
            text = self._events(text)
        elif is_text:
            # An error page speaks of the server; any other text was written by somebody.
            text = self._scrubbed(text) if status >= 400 or self._keeps_content else _masked(text)
        elif not self._keeps_content:
            return None
        return text.encode("utf-8", "surrogateescape")

    def words(self, text: str) -> str:
        """Return the words of an error."""
        return self._scrubbed(text)

    def _scrubbed(self, text: str) -> str:
        """Return words of the server's without what is known not to be its own."""
        if not text:
            return text
        text = _without(text, (*self._masking.secrets, *self._known), keeps_users=self._keeps_users)
        text = text if self._keeps_users else _PHONE.sub(_hide, text)
        words, parts = self._quotable
        if words:
            text = _LONG_WORD.sub(lambda found: _masked(found[0]) if found[0].lower() in words else found[0], text)
        return _WIDE.sub(lambda found: _without_parts(found[0], parts), text) if parts else text

    @functools.cached_property
    def _quotable(self) -> tuple[frozenset[str], frozenset[str]]:
        """Long words of the request, and the parts of those that are written without blanks."""
        words = frozenset(word.lower() for text in self._asked for word in _LONG_WORD.findall(text))
        parts = (part for text in self._asked for run in _WIDE.findall(text) for part in _parts(run))
        return words, frozenset(parts)

    def _safe(self, text: str) -> str:
        """Return a text without credentials. A status may well be a word that somebody wrote, too: it stays."""
        return self._masking.safe(text)

    def _events(self, text: str) -> str:
        """Return an event stream; the lines of one event's data belong together."""
        lines: list[str] = []
        data: list[tuple[int, str, str, str]] = []
        name = ""

        def end_event() -> None:
            masked = self._data("\n".join(payload for _, _, payload, _ in data), name).split("\n")
            for (number, prefix, _, end), payload in zip(data, masked, strict=True):
                lines[number] = prefix + payload + end
            data.clear()

        for found in _LINES.finditer(text):
            line, end = found[1], found[2]
            field_name, colon, value = line.partition(":")
            field_name = field_name.removeprefix("\ufeff")
            if field_name == "data" and colon:
                payload = value.removeprefix(" ")
                data.append((len(lines), line[: len(line) - len(payload)], payload, end))
                lines.append("")
                continue
            if data and (not line or field_name in ("event", "id")):
                end_event()
            if not line:
                name = ""
            elif field_name == "event":
                name = value.strip().lower()
            is_field = field_name in ("event", "id", "retry", "")
            masked = self._safe(line) if is_field or self._keeps_content else _masked(line)
            lines.append((self._masking.safe_name(line) if field_name == "event" else masked) + end)
        if data:
            end_event()
        return "".join(lines)

    def _data(self, payload: str, event: str) -> str:
        text = payload.strip()
        if text in ("[DONE]", '"[DONE]"'):
            return payload
        if text[:1] in ("{", "[", '"'):
            return self._json(payload, _Place())
        return self._scrubbed(payload) if "error" in event or self._keeps_content else _masked(payload)

    def _json(self, text: str, place: _Place) -> str:
        """Return a JSON text; what is torn, or no JSON after all, is masked rather than understood."""
        around: list[tuple[str, _Place, bool]] = []
        key, is_key = place, False
        pairs = _secret_pairs(text)
        parts: list[str] = []
        done = 0
        for found in _JSON_PARTS.finditer(text):
            part = found[0]
            if part in ("{", "["):
                around.append((part, key, found.start() in pairs))
                # What stands in a list has the name of the list.
                key = _below(key, "" if part == "{" else key.key)
                is_key = part == "{"
                continue
            if part in ("}", "]"):
                key = around.pop()[1] if around else place
                is_key = False
                continue
            if part in (",", ":"):
                is_key = part == "," and bool(around) and around[-1][0] == "{"
                continue
            if not part.startswith('"'):
                masked = self._word(part, key)
            elif is_key:
                name = _decoded(found[1])
                _, outer, is_pair = around[-1]
                key = _below(outer, name, is_secret=is_pair and _meaning(name).is_held)
                masked = f'"{self._same_spans(found[1], name, self._masking.safe_name(name))}{found[2]}'
            else:
                value = _decoded(found[1])
                masked = f'"{self._same_spans(found[1], value, self._text(value, key))}{found[2]}'
            if masked != part:
                parts += (text[done : found.start()], masked)
                done = found.end()
        return "".join((*parts, text[done:]))

    def _word(self, word: str, place: _Place) -> str:
        """Return a number, true, false or null, or what stands in their place."""
        if word in _WORDS:
            return word
        if _NUMBER.fullmatch(word):
            if self._is_credential(word, place, is_text=False):
                self._masking.learn(word)
                return re.sub(r"[0-9]", "1", word)
            if place.is_user and not self._keeps_users:
                self._hidden(word)
                return re.sub(r"[0-9]", "1", word)
            return word if self._keeps_content or self._is_kept(place) else re.sub(r"[0-9]", "1", word)
        return self._safe(word) if self._keeps_content and not place.is_secret else _masked(word)

    @staticmethod
    def _same_spans(raw: str, text: str, masked: str) -> str:
        """Write a masked text into the place of the raw one, each character as long as before."""
        if text == masked:
            return raw
        if "\\" not in raw:
            return masked
        return "".join(_written(new, old, span) for (old, span), new in zip(_characters(raw), masked, strict=True))

    def _is_kept(self, place: _Place) -> bool:
        if place.is_opaque:
            return False
        return place.key in _KEPT_INSIDE if place.is_inside else _meaning(place.key).is_kept

    def _is_credential(self, value: str, place: _Place, *, is_text: bool) -> bool:
        meaning = _meaning(place.key)
        if place.is_secret or not (meaning.is_credential or meaning.is_count):
            return place.is_secret or (is_text and self._is_login and place.key == "code")
        is_count = (
            meaning.is_count
            or (place.key == "token" and self._is_counting and self._is_answer)
            or (place.key == "tokens" and not is_text)
        )
        return not (is_count and _FEW_DIGITS.fullmatch(value))

    def _text(self, text: str, place: _Place) -> str:
        """Return the text of a value: as it is, masked, or, if it holds JSON of its own, masked inside."""
        key = place.key
        if self._is_credential(text, place, is_text=True):
            self._masking.learn(text)
            return _masked(text)
        if place.is_user:
            return self._safe(text) if self._keeps_users else self._hidden(text)
        if text.lstrip()[:1] in ("{", "[") and not self._is_kept(place):
            return self._json(text, _Place(key, is_inside=True, is_opaque=place.is_opaque))
        is_known_object = place.is_inside and key == "type" and text in _OBJECTS
        if self._keeps_content or self._is_kept(place) or is_known_object or text == "[DONE]":
            return self._scrubbed(text) if key in _SAYING else self._safe(text)
        return self._hidden(text)

    def _hidden(self, text: str) -> str:
        # An answer may be endless; what it said is looked for in its own later words, as far as that goes.
        if len(text) >= _SHORTEST and not (self._is_answer and len(self._known) >= _MOST_REPEATED):
            self._known.add(text)
        return _masked(text)


def _secret_pairs(text: str) -> frozenset[int]:
    """Return where the objects of a JSON text begin that name a credential under one key and hold it under another."""
    if not _PAIR.search(text):
        return frozenset()
    pairs: set[int] = set()
    around: list[int] = []
    is_label = is_key = False
    for found in _JSON_PARTS.finditer(text):
        part = found[0]
        if part in ("{", "["):
            around.append(found.start())
            is_key = part == "{"
        elif part in ("}", "]"):
            around[-1:] = []
            is_key = False
        elif part in (",", ":"):
            is_key = part == "," and bool(around) and text[around[-1]] == "{"
        elif part.startswith('"') and is_key:
            is_label = _meaning(_decoded(found[1])).is_label
        elif part.startswith('"') and around and is_label:
            named = _meaning(_decoded(found[1]))
            if named.is_credential and not named.is_count:
                pairs.add(around[-1])
    return frozenset(pairs)


def _decoded(raw: str) -> str:
    """Return what a JSON string says."""
    return "".join(character for character, _ in _characters(raw)) if "\\" in raw else raw


def _characters(raw: str) -> Iterator[tuple[str, str]]:
    """Yield each character of a JSON string, and how it is written."""
    for span in _CHARACTERS.findall(raw):
        yield _read(span), span


def _read(span: str) -> str:
    if len(span) == 12:
        return str(json.loads(f'"{span}"'))
    if len(span) == 6:
        return chr(int(f"0x{span[2:]}", 0))
    if len(span) == 2:
        return _SHORT_ESCAPES.get(span[1], span[1])
    return span


def _written(new: str, old: str, span: str) -> str:
    if new == old:
        return span
    if len(span) == 2:
        # No escape that JSON knows.
        return span[0] + new
    if len(span) == 12:
        return json.dumps("𝑥")[1:-1]
    return f"\\u{ord(new):04x}" if len(span) == 6 else new
