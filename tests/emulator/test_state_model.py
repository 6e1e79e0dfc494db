"""Random work on an emulator against the plainest model of it: dictionaries and lists."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import anyio
from emulator.talk import talking
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from coze_async.emulator import Emulator

NAMES = st.sampled_from(["a", "b", "你好"])
BOTS = st.sampled_from(["1", "2"])


class Model(RuleBasedStateMachine):
    """Makes, changes, reads and deletes; between two steps the emulator may be started anew from its file."""

    conversations: Bundle[str] = Bundle("conversations")
    messages: Bundle[tuple[str, str]] = Bundle("messages")
    bots: Bundle[str] = Bundle("bots")
    datasets: Bundle[str] = Bundle("datasets")

    def __init__(self) -> None:
        super().__init__()
        self.folder = TemporaryDirectory()
        self.emulator = self.started()
        self.named: dict[str, tuple[str, str]] = {}
        """Conversation -> its bot and name."""
        self.said: dict[str, dict[str, str]] = {}
        """Conversation -> message -> content, oldest first."""
        self.drafts: dict[str, str] = {}
        self.published: dict[str, str] = {}
        self.documents: dict[str, list[str]] = {}

    def started(self) -> Emulator:
        return Emulator(state=Path(self.folder.name) / "coze.sqlite")

    def teardown(self) -> None:
        self.emulator.close()
        self.folder.cleanup()

    def call(self, method: str, path: str, body: Any = None, **query: Any) -> Any:
        async def main() -> Any:
            async with talking(self.emulator) as talk:
                return (await talk.http.request(method, path, json=body, params=query)).json()

        return anyio.run(main)

    def gone(self, answer: Any) -> None:
        assert answer["code"] in (4001, 4005, 4200)

    @rule()
    def restart(self) -> None:
        self.emulator.close()
        self.emulator = self.started()

    @rule(target=conversations, bot_id=BOTS, name=NAMES)
    def converse(self, bot_id: str, name: str) -> str:
        made = self.call("POST", "/v1/conversation/create", {"bot_id": bot_id, "name": name})["data"]["id"]
        self.named[made], self.said[made] = (bot_id, name), {}
        return str(made)

    @rule(of=conversations, name=NAMES)
    def rename(self, of: str, name: str) -> None:
        answer = self.call("PUT", f"/v1/conversations/{of}", {"name": name})
        if of not in self.named:
            self.gone(answer)
            return
        self.named[of] = (self.named[of][0], name)

    @rule(of=conversations)
    def delete(self, of: str) -> None:
        answer = self.call("DELETE", f"/v1/conversations/{of}")
        if of not in self.named:
            self.gone(answer)
            return
        del self.named[of], self.said[of]

    @rule(target=messages, of=conversations, text=NAMES)
    def say(self, of: str, text: str) -> tuple[str, str]:
        body = {"role": "user", "content": text, "content_type": "text"}
        answer = self.call("POST", "/v1/conversation/message/create", body, conversation_id=of)
        if of not in self.named:
            self.gone(answer)
            return of, "0"
        self.said[of][answer["data"]["id"]] = text
        return of, answer["data"]["id"]

    @rule(message=messages, text=NAMES)
    def reword(self, message: tuple[str, str], text: str) -> None:
        of, message_id = message
        ids = {"conversation_id": of, "message_id": message_id}
        answer = self.call("POST", "/v1/conversation/message/modify", {"content": text}, **ids)
        if message_id not in self.said.get(of, {}):
            self.gone(answer)
            return
        self.said[of][message_id] = text

    @rule(message=consumes(messages))
    def unsay(self, message: tuple[str, str]) -> None:
        of, message_id = message
        answer = self.call("POST", "/v1/conversation/message/delete", None, conversation_id=of, message_id=message_id)
        if message_id not in self.said.get(of, {}):
            self.gone(answer)
            return
        assert answer["data"]["content"] == self.said[of].pop(message_id)

    @rule(of=conversations, text=NAMES)
    def chat(self, of: str, text: str) -> None:
        message = {"role": "user", "content": text, "content_type": "text"}
        body = {"bot_id": "1", "user_id": "u", "stream": True, "additional_messages": [message]}
        if of not in self.named:
            self.gone(self.call("POST", "/v3/chat", body, conversation_id=of))
            return

        async def main() -> None:
            async with talking(self.emulator) as talk:
                told = await talk.chat(body, conversation_id=of)
            (answer,) = [event.data for event in told if event.name.endswith("completed") and "role" in event.data][:1]
            chat = self.emulator.chats[answer["chat_id"]]
            self.said[of] |= {chat.asked[0]["id"]: text, answer["id"]: answer["content"]}

        anyio.run(main)

    @rule(target=bots, name=NAMES)
    def draft(self, name: str) -> str:
        made = self.call("POST", "/v1/bot/create", {"space_id": "1", "name": name})["data"]["bot_id"]
        self.drafts[made] = name
        return str(made)

    @rule(bot=bots, name=NAMES)
    def redraft(self, bot: str, name: str) -> None:
        assert self.call("POST", "/v1/bot/update", {"bot_id": bot, "name": name})["code"] == 0
        self.drafts[bot] = name

    @rule(bot=bots)
    def publish(self, bot: str) -> None:
        assert self.call("POST", "/v1/bot/publish", {"bot_id": bot, "connector_ids": ["1024"]})["code"] == 0
        self.published[bot] = self.drafts[bot]

    @rule(bot=bots)
    def unpublish(self, bot: str) -> None:
        answer = self.call("POST", f"/v1/bots/{bot}/unpublish", {"connector_id": "1024"})
        assert (answer["code"] == 0) is (self.published.pop(bot, None) is not None)

    @rule(target=datasets, name=NAMES)
    def collect(self, name: str) -> str:
        made = self.call("POST", "/v1/datasets", {"space_id": "1", "name": name, "format_type": 0})["data"][
            "dataset_id"
        ]
        self.documents[made] = []
        return str(made)

    @rule(of=datasets, names=st.lists(NAMES, min_size=1, max_size=3))
    def add(self, of: str, names: list[str]) -> None:
        bases = [{"name": name, "source_info": {"custom_content": name}} for name in names]
        answer = self.call("POST", "/open_api/knowledge/document/create", {"dataset_id": of, "document_bases": bases})
        if of not in self.documents:
            self.gone(answer)
            return
        self.documents[of] += names

    @rule(of=datasets)
    def discard(self, of: str) -> None:
        answer = self.call("DELETE", f"/v1/datasets/{of}")
        if of not in self.documents:
            self.gone(answer)
            return
        del self.documents[of]

    @invariant()
    def lists_tell_what_is_there(self) -> None:
        for bot_id in ("1", "2"):
            found = self.call("GET", "/v1/conversations", bot_id=bot_id)["data"]["conversations"]
            told = {one["id"]: one["name"] for one in found}
            assert told == {one: name for one, (bot, name) in self.named.items() if bot == bot_id}
        for of, said in self.said.items():
            answer = self.call("POST", "/v1/conversation/message/list", {"order": "asc"}, conversation_id=of)
            assert [(message["id"], message["content"]) for message in answer["data"]] == list(said.items())
        listed = self.call("GET", "/v1/bots", workspace_id="1", publish_status="all")["data"]
        assert {bot["id"]: bot["name"] for bot in listed["items"]} == self.drafts
        online = self.call("GET", "/v1/bots", workspace_id="1")["data"]["items"]
        assert {bot["id"]: bot["name"] for bot in online} == self.published
        bases = self.call("GET", "/v1/datasets", space_id="1", page_size=300)["data"]
        assert {base["dataset_id"]: base["file_list"] for base in bases["dataset_list"]} == self.documents
        assert bases["total_count"] == len(self.documents)


TestModel = Model.TestCase
TestModel.settings = settings(max_examples=12, stateful_step_count=15)
