# ruff: noqa: E501 - the page keeps one sentence per line
"""The official SDKs, and where each disagrees with the documented service; writes `docs/interop.md`."""

from interop.peers import ROOT, Disagreement, Peer

COZEPY = Peer(
    name="cozepy",
    version="0.20.0",
    program="with_cozepy.py",
    disagreements={
        "workspaces.members.list": Disagreement(
            "ValidationError: 2 validation errors for WorkspaceMember",
            "It reads the page of members as one member; the documented answer, which the SDK for Go reads, is a page.",
        ),
        "chat.stream (keep-alive comments)": Disagreement(
            "CozeInvalidEventError: invalid event, data: : keep-alive",
            "It knows no comment lines. Every server-sent stream may hold them; the emulator sends them where a script asks.",
        ),
        "chat.create_and_poll (a chat that fails)": Disagreement(
            "ValidationError: 1 validation error for Message",
            "The messages of a failed chat come without `data` (its issues 203 and 425), and it reads the envelope as the list.",
        ),
        "datasets.documents.update (update_rule)": Disagreement(
            "TypeError: Object of type DocumentUpdateRule is not JSON serializable",
            "It cannot write an update rule: nothing is sent.",
        ),
        "audio.voices.clone": Disagreement(
            "ValidationError: 11 validation errors for Voice",
            "It wants a whole voice; the documented answer, which the other SDKs read, is `voice_id` alone. The voice is made.",
        ),
        "audio.voiceprint_groups.speaker_identify (top_k)": Disagreement(
            "AttributeError: 'int' object has no attribute 'read'",
            "It gives numbers to a form that takes texts: nothing is sent.",
        ),
    },
    left_out={"websockets": "All of them; the emulator speaks HTTP."},
)

COZE_JS = Peer(
    name="@coze/api",
    version="1.3.9",
    program="with_coze_js.mjs",
    disagreements={},
    left_out={
        f"websockets.{name}.create": "A WebSocket; the emulator speaks HTTP."
        for name in ("audio.simultInterpretation", "audio.speech", "audio.transcriptions", "chat")
    },
)

PEERS = (COZEPY, COZE_JS)
PAGE = ROOT / "docs" / "interop.md"

HEAD = """\
# The emulator, and clients that others wrote

The emulator counts as faithful when programs that know nothing of it work against it.
So the official SDKs, as they are published, are set against it over a port, and each of their methods is called: `tests/interop/`.
What one call makes, the next ones read back: bots are made, published, asked and renamed, conversations cleared, voices cloned.
Of the asynchronous half of cozepy, which is the same code written twice, the streams are called.

This file is written by `PYTHONPATH=tests python -m interop.sdks`, and a test compares it.
"""

TAIL = """\
## What the emulator does not do

- It speaks HTTP: no WebSockets (speech, transcriptions, interpretation and chat live), and rooms that nobody can enter, since no media server stands behind them.
- No model thinks and no knowledge is searched: bots and workflows are scripts, documents are kept and listed, and an answer recalls what its script says.
- Sound is a tone as long as the text; a recording that the emulator spoke itself is understood, others are not.
- Nothing can be paid for: plans, benefits and limitations are numbers that it was given.
- Folders and the first app are always there, and every id is one of a template, because nothing makes one through the API.
"""


_OTHERS = """ The others fail in the SDK:

| call | why it fails |
| --- | --- |
"""


def page() -> str:
    """Return the text of docs/interop.md."""
    parts = [HEAD]
    for peer in PEERS:
        known = peer.disagreements
        parts.append(
            f"## {peer.name} {peer.version}\n\n"
            f"{len(peer.calls) - len(known)} of {len(peer.calls)} calls get what they ask for."
            + (_OTHERS + "".join(f"| `{call}` | {told.reason} |\n" for call, told in known.items()) if known else "\n")
        )
        if peer.left_out:
            parts.append("Not called:\n\n" + "".join(f"- `{name}`: {why}\n" for name, why in peer.left_out.items()))
    return "\n".join([*parts, TAIL])


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
