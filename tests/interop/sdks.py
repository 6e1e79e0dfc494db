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
            "It reads the page of members as if it were one member.",
        ),
        "workspaces.members.delete": Disagreement(
            "not_in_workspace_user_ids\n  Field required",
            "It wants the key `not_in_workspace_user_ids`; the service's is `not_in_space_user_ids`.",
        ),
        "chat.stream (keep-alive comments)": Disagreement(
            "CozeInvalidEventError: invalid event, data: : keep-alive",
            "It knows no comment lines, which every server-sent stream may hold and gateways send.",
        ),
        "chat.create_and_poll": Disagreement(
            "assert result.chat.status == ChatStatus.COMPLETED",
            "It polls while a chat is `in_progress`, and a chat that was answered as `created` is handed out at once, "
            "without its answer.",
        ),
        "workflows.runs.run_histories.retrieve (while it runs)": Disagreement(
            "is_output_trimmed\n  Field required",
            "It wants `is_output_trimmed`, which may be absent while a run goes on.",
        ),
        "datasets.documents.update (update_rule)": Disagreement(
            "TypeError: Object of type DocumentUpdateRule is not JSON serializable",
            "It cannot write an update rule: nothing is sent.",
        ),
        "audio.voices.clone": Disagreement(
            "ValidationError: 11 validation errors for Voice",
            "It wants a whole voice; the service answers with `voice_id` alone. The voice is there all the same.",
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
    disagreements={
        "knowledge.documents.list": Disagreement(
            "NotFoundError: ",
            "It asks with GET, the service is asked with POST; the SDK calls this method deprecated, and "
            "`datasets.documents.list` asks as documented.",
        ),
    },
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


def page() -> str:
    """Return the text of docs/interop.md."""
    parts = [HEAD]
    for peer in PEERS:
        known = peer.disagreements
        parts.append(
            f"## {peer.name} {peer.version}\n\n"
            f"{len(peer.calls) - len(known)} of {len(peer.calls)} calls get what they ask for. "
            "The others fail on what the documented service sends, or before anything is sent:\n\n"
            "| call | why it fails |\n| --- | --- |\n"
            + "".join(f"| `{call}` | {told.reason} |\n" for call, told in known.items())
        )
        if peer.left_out:
            parts.append("Not called:\n\n" + "".join(f"- `{name}`: {why}\n" for name, why in peer.left_out.items()))
    return "\n".join([*parts, TAIL])


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
