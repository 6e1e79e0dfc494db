"""The official SDKs, and where each disagrees with the documented service; prints the tables of `docs/interop.md`."""

from interop.peers import Disagreement, Peer

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
)
