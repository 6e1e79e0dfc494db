"""What an emulated bot or workflow does: scripts, written as plain values."""

import inspect
import itertools
import json
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import Any, TypeAlias

from ._given import (
    Read,
    count,
    finite,
    maybe,
    one_of,
    raw_chunks,
    refuse,
    seconds,
    several,
    table,
    take,
    text,
    text_or_table,
    truth,
    whole,
)
from ._sound import SAMPLE_RATE, pcm, pieces_of_sound

_CJK = "\u3000-\u303f\u3040-\u30ff\u3400-\u9fff\uff00-\uffef"
_TOKEN = re.compile(rf"[{_CJK}]+|\s*[^\s{_CJK}]+|\s+")
_LINE_END = re.compile(r"[?？!！.。,，;；:：\s]+$")


def is_chinese(text: str) -> bool:
    """Whether `text` holds Chinese (or Japanese) characters."""
    return re.search(rf"[{_CJK}]", text) is not None


def pieces_of(text: str) -> list[str]:
    """Cut `text` as a model writes it: word by word in English, one to three characters in Chinese.

    The pieces put together are `text` again.
    """
    lengths = itertools.cycle((2, 1, 3, 2))
    pieces: list[str] = []
    for token in _TOKEN.findall(text):
        if not is_chinese(token):
            pieces.append(token)
            continue
        start = 0
        while start < len(token):
            length = next(lengths)
            pieces.append(token[start : start + length])
            start += length
    return pieces


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer message: its text, and what the model thought before it."""

    text: str = ""
    reasoning: str = ""
    """Chain of thought; streamed in deltas of its own, before the text."""
    pieces: Sequence[str] | None = None
    """The deltas of the text; None cuts the text as a model writes it."""
    content_type: str = "text"
    """"card": the text is the JSON of a card, and comes whole."""
    audio: Sequence[bytes] = ()
    """Sound in pieces; sent in audio deltas after the chat has completed, as the cloud does.

    A text is spoken as a tone of its length.
    """

    def __post_init__(self) -> None:
        take(self, **_ANSWER)

    @property
    def content(self) -> str:
        """The whole text."""
        return self.text if self.pieces is None else "".join(self.pieces)

    def deltas(self) -> Sequence[str]:
        """The pieces in which the text is streamed; a card has none."""
        if self.content_type == "card":
            return ()
        return pieces_of(self.text) if self.pieces is None else self.pieces


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a knowledge base that the bot found before it answered."""

    text: str
    score: float = 0.9
    document: str = "handbook.md"
    title: str = ""
    url: str = ""
    dataset: str = "Handbook"

    def __post_init__(self) -> None:
        take(self, **_CHUNK)


@dataclass(frozen=True, slots=True)
class ToolUse:
    """A plug-in that the service calls itself: one `function_call` and one `tool_response` message."""

    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict[str, Any])
    response: str = "{}"

    def __post_init__(self) -> None:
        take(self, **_TOOL_USE)


@dataclass(frozen=True, slots=True)
class Verbose:
    """A message about the run, such as a jump between agents; the one that ends the answers comes by itself."""

    msg_type: str
    data: str | Mapping[str, Any] = ""
    """A mapping is sent as a JSON string, a string as it is."""

    def __post_init__(self) -> None:
        take(self, **_VERBOSE)


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool that the *caller* has to run: the chat stops in `requires_action` until its output is submitted."""

    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict[str, Any])
    id: str = ""
    """Empty: the emulator makes one."""
    type: str = "function"

    def __post_init__(self) -> None:
        take(self, **_TOOL_CALL)


@dataclass(frozen=True, slots=True)
class Usage:
    """The tokens of one turn."""

    input_count: int
    output_count: int

    def __post_init__(self) -> None:
        take(self, **_USAGE)


@dataclass(frozen=True, slots=True)
class Failure:
    """How a chat or a workflow fails."""

    code: int = 5000
    msg: str = "event interval error"
    bare: bool = False
    """Send `{"code", "msg"}` alone in `conversation.chat.failed`, as the documented sample does."""
    before_run: bool = False
    """On Coze Studio and Coze Plus: the bot cannot even begin, so the body ends with the error and the chat fails. A
    model that fails is told in an error event too, and its chat completes."""

    def __post_init__(self) -> None:
        take(self, **_FAILURE)


@dataclass(frozen=True, slots=True)
class Script:
    """What a bot does in one turn, in the order in which the service reports it.

    Knowledge, tool uses, then either tool calls for the caller or the answers, verbose messages, follow-ups and usage.
    With a `failure` the answers stop after their deltas and the chat fails.
    """

    answers: str | Answer | Sequence[str | Answer] = ()
    _: KW_ONLY
    knowledge: Sequence[Chunk] = ()
    tools: Sequence[ToolUse] = ()
    requires: Sequence[ToolCall] = ()
    then: "Script | str | Callable[[Mapping[str, str]], Script | str] | None" = None
    """How the chat goes on when the outputs (tool call id -> output) were submitted; None tells them."""
    verbose: Sequence[Verbose] = ()
    follow_ups: Sequence[str] = ()
    asks: str = ""
    """A question of a plug-in workflow (with `tools`) or of the bot's chatflow, said last: the bot waits for an answer
    in the same conversation, which is an ordinary turn. Coze Studio and Coze Plus tell that it waits."""
    chatflow: bool = False
    """The bot stands on a chatflow: on Coze Studio and Coze Plus its last answer is completed twice."""
    usage: Usage | None = None
    """None counts the pieces of question and answers."""
    failure: Failure | None = None
    seconds: float = 1.2
    """How long the chat takes when it is polled."""
    pace: float | None = None
    """Seconds between two pieces; None takes the emulator's."""
    keep_alive: int = 0
    """A comment line (in a workflow: a PING event) before every so many events; 0 sends none."""
    raw: Sequence[bytes] | bytes | None = None
    """The body itself, in these chunks, instead of everything above."""

    def __post_init__(self) -> None:
        take(self, **_SCRIPT)

    def spoken(self) -> list[Answer]:
        """The answers, each as an `Answer`."""
        answers = [self.answers] if isinstance(self.answers, str | Answer) else self.answers
        asked = [self.asks] if self.asks else []
        return [Answer(answer) if isinstance(answer, str) else answer for answer in (*answers, *asked)]

    def after(self, outputs: Mapping[str, str]) -> "Script":
        """The script of the turn that follows once the tools' `outputs` are there."""
        following = self.then(outputs) if callable(self.then) else self.then
        if following is None:
            found = "; ".join(outputs.values())
            following = f"查到了：{found}" if is_chinese(found) else f"Here is what I found: {found}"
        return as_script(following, "What follows the tool outputs")


@dataclass(frozen=True, slots=True)
class Node:
    """One node of a workflow that sends messages; its text is cut into packets."""

    title: str
    text: str
    node_type: str = "Message"
    content_type: str = "text"
    pieces: Sequence[str] | None = None
    """The packets of the text; None cuts it as a model writes it."""

    def __post_init__(self) -> None:
        take(self, **_NODE)


@dataclass(frozen=True, slots=True)
class Ask:
    """A question node: the run is interrupted and goes on when it is resumed with an answer."""

    question: str
    type: int = 2
    """2 question node, 5 input node, 6 local plug-in, 7 OAuth plug-in."""
    title: str = "Ask"
    then: "WorkflowScript | Callable[[str], WorkflowScript] | None" = None
    """How the run goes on with the answer; None ends with `{"output": answer}`."""

    def __post_init__(self) -> None:
        take(self, **_ASK)

    def after(self, answer: str) -> "WorkflowScript":
        """The script of the rest of the run, once `answer` is there."""
        if self.then is None:
            return WorkflowScript({"output": answer})
        following = self.then(answer) if callable(self.then) else self.then
        return as_workflow_script(following, "What follows the answer")


@dataclass(frozen=True, slots=True)
class WorkflowScript:
    """What a workflow does in one run: messages of its nodes, maybe a question, then its output."""

    output: Mapping[str, Any] | str = field(default_factory=dict[str, Any])
    """A mapping is sent as a JSON string, a string as it is."""
    _: KW_ONLY
    pieces: Sequence[str] | None = None
    """The packets of a text as output, on Coze Studio and Coze Plus; None sends it in one."""
    nodes: Sequence[Node] = ()
    ask: Ask | None = None
    """Stop here, after the nodes: everything that follows stands in `ask.then`."""
    failure: Failure | None = None
    usage: Usage | None = None
    seconds: float = 1.2
    """How long a run without stream takes."""
    pace: float | None = None
    keep_alive: int = 0
    raw: Sequence[bytes] | bytes | None = None
    published: bool = True
    """False: the workflow is there, and cannot be run."""

    def __post_init__(self) -> None:
        take(self, **_WORKFLOW_SCRIPT)


def _then(value: Any, place: str) -> Any:
    return value if callable(value) else as_script(value, place)


def _rest(value: Any, place: str) -> Any:
    return value if callable(value) else as_workflow_script(value, place)


def _response(value: Any, place: str) -> Any:
    return json.dumps(table(value, place), ensure_ascii=False) if isinstance(value, Mapping) else text(value, place)


def _sounds(value: Any, place: str) -> Any:
    """Pieces of sound, or a text that is spoken as a tone of its length."""
    if isinstance(value, str):
        return pieces_of_sound(pcm(value, SAMPLE_RATE))
    return pieces_of_sound(value) if isinstance(value, bytes) else several(_sound)(value, place)


def _sound(value: Any, place: str) -> Any:
    return value if isinstance(value, bytes) else refuse(place, "bytes", value)


def _answers(value: Any, place: str) -> Any:
    return value if isinstance(value, str | Answer) else several(_said, or_one=True)(value, place)


def _said(value: Any, place: str) -> Any:
    return value if isinstance(value, str) else one_of(Answer, "text", str)(value, place)


def as_script(value: Any, place: str) -> Script:
    """A script, or what a file of scripts has for one: a text, a list of answers, or a mapping of its fields.

    Raises:
        ConfigurationError: it is something else.
    """
    script: Script = one_of(Script, "answers", str, list)(value, place)
    return script


def as_workflow_script(value: Any, place: str) -> WorkflowScript:
    """A workflow's script, or what a file of scripts has for one: a text, or a mapping of its fields.

    Raises:
        ConfigurationError: it is something else.
    """
    script: WorkflowScript = one_of(WorkflowScript, "output", str)(value, place)
    return script


_USAGE: dict[str, Read] = {"input_count": count, "output_count": count}
_FAILURE: dict[str, Read] = {"code": whole, "msg": text, "bare": truth, "before_run": truth}
_CHUNK: dict[str, Read] = {
    "text": text,
    "score": finite,
    "document": text,
    "title": text,
    "url": text,
    "dataset": text,
}
_TOOL_USE: dict[str, Read] = {"name": text, "arguments": table, "response": _response}
_TOOL_CALL: dict[str, Read] = {"name": text, "arguments": table, "id": text, "type": text}
_VERBOSE: dict[str, Read] = {"msg_type": text, "data": text_or_table}
_NODE: dict[str, Read] = {
    "title": text,
    "text": text,
    "node_type": text,
    "content_type": text,
    "pieces": maybe(several(text)),
}
_ANSWER: dict[str, Read] = {
    "text": text,
    "reasoning": text,
    "pieces": maybe(several(text)),
    "content_type": text,
    "audio": _sounds,
}
_ASK: dict[str, Read] = {"question": text, "type": whole, "title": text, "then": maybe(_rest)}
_PLAYING: dict[str, Read] = {
    "failure": maybe(one_of(Failure, "code", int)),
    "usage": maybe(one_of(Usage)),
    "seconds": seconds,
    "pace": maybe(seconds),
    "keep_alive": count,
    "raw": maybe(raw_chunks),
}
_SCRIPT: dict[str, Read] = {
    "answers": _answers,
    "knowledge": several(one_of(Chunk, "text", str)),
    "tools": several(one_of(ToolUse)),
    "requires": several(one_of(ToolCall)),
    "then": maybe(_then),
    "verbose": several(one_of(Verbose)),
    "follow_ups": several(text, or_one=True),
    "asks": text,
    "chatflow": truth,
    **_PLAYING,
}
_WORKFLOW_SCRIPT: dict[str, Read] = {
    "output": text_or_table,
    "pieces": maybe(several(text)),
    "nodes": several(one_of(Node)),
    "ask": maybe(one_of(Ask, "question", str)),
    "published": truth,
    **_PLAYING,
}


@dataclass(frozen=True, slots=True)
class ChatInput:
    """What a bot is given for one turn."""

    bot_id: str
    user_id: str
    conversation_id: str
    question: str
    """The text of the last message."""
    history: Sequence[str]
    """Earlier questions of the same conversation, oldest first."""
    body: Mapping[str, Any] = field(repr=False)
    """The whole request, with parameters, custom_variables and messages."""


@dataclass(frozen=True, slots=True)
class WorkflowInput:
    """What a workflow is given for one run."""

    workflow_id: str
    parameters: Mapping[str, Any]
    body: Mapping[str, Any] = field(repr=False)
    question: str = ""
    """The text of the last message, when the workflow is a chatflow."""


BotScript: TypeAlias = Script | str | Callable[[ChatInput], Script | str | Awaitable[Script | str]]
FlowScript: TypeAlias = WorkflowScript | Callable[[WorkflowInput], WorkflowScript | Awaitable[WorkflowScript]]


async def play_bot(script: BotScript, given: ChatInput) -> Script:
    """The script of one turn: the value itself, or what the function makes of `given`."""
    made = script(given) if callable(script) else script
    if inspect.isawaitable(made):
        made = await made
    return as_script(made, f"What the function of bot {given.bot_id!r} returned")


async def play_flow(script: FlowScript, given: WorkflowInput) -> WorkflowScript:
    """The script of one run: the value itself, or what the function makes of `given`."""
    made = script(given) if callable(script) else script
    if inspect.isawaitable(made):
        made = await made
    return as_workflow_script(made, f"What the function of workflow {given.workflow_id!r} returned")


def topic_of(question: str) -> str:
    """What a question is about, short enough to be said again."""
    topic = _LINE_END.sub("", " ".join(question.split()))
    topic = _HAIL.sub("", topic, count=1) or topic
    for opening in _OPENINGS:
        shorter = opening.sub("", topic)
        if shorter and shorter != topic:
            topic = _LINE_END.sub("", shorter)
            break
    return topic if len(topic) <= 60 else topic[:59] + "…"


_OPENINGS = [
    re.compile(
        r"^(please\s+)?((can|could) you\s+)?(tell me|explain|describe|talk)( to me)?( about)?\s+", re.IGNORECASE
    ),
    re.compile(r"^what (is|are|was|were)\s+", re.IGNORECASE),
    re.compile(r"^(请问?|麻烦你?)?(给我|帮我)?(介绍|说说|讲讲|解释|讲|说)(一下|一讲)?"),
    re.compile(r"^(请问)?(什么是)"),
]
_HAIL = re.compile(
    r"^((hi|hello|hey|good (morning|evening))\b( there\b)?|你好|您好|嗨|早上好|晚上好)[\W_]*(?=\w)", re.IGNORECASE
)
_GREETING = re.compile(
    r"^((hi|hello|hey|good (morning|evening))\b( (there|all|everyone))?|(你好|您好|嗨|早上好|晚上好)[呀啊吗]?)[\W_]*$",
    re.IGNORECASE,
)
_THANKS = re.compile(r"^((many )?(thanks|thank you|thx)\b.{0,20}|(谢谢|多谢|感谢)[你您啦了]?)[\W_]*$", re.IGNORECASE)
_FAREWELL = re.compile(r"^((good)?bye|good night|see you( later)?|再见|拜拜|晚安)[\W_]*$", re.IGNORECASE)
_ABOUT_IT = re.compile(
    r"^(who are you|what are you|what (can|do) you do|你是谁|你是什么|你(能|会|可以)(做|干)?(什么|啥))[\W_]*$",
    re.IGNORECASE,
)
_IS_SENTENCE = re.compile(
    r"^(how|why|when|where|which|who|whose|should|shall|can|could|do|does|did|is|are|will|would)\b"
    r"|[吗呢]$|怎么|为什么|如何|哪",
    re.IGNORECASE,
)
_LOOKING_BACK = re.compile(
    r"(did i (just )?(ask|say)|my (last|previous|earlier) question|刚才.{0,4}(问|说)|上一个问题)", re.IGNORECASE
)


def default_bot(given: ChatInput) -> Script:
    """A pleasant answer to what was asked, in the language of the question, with follow-ups.

    It knows nothing, but it stays with the topic and remembers the conversation's earlier questions.
    """
    words = _CHINESE if is_chinese(given.question) else _ENGLISH
    topic = topic_of(given.question) or words["anything"]
    previous = given.history[-1] if given.history else ""
    asked = given.question.strip()
    small_talk = next((name for name, opening in _SMALL_TALK.items() if opening.match(asked)), None)
    if small_talk:
        return Script(words[small_talk], follow_ups=words["offers"].splitlines())
    if _LOOKING_BACK.search(asked):
        text = words["last"].format(previous=previous) if previous else words["first"]
    else:
        back = words["back"].format(previous=topic_of(previous)) if previous else ""
        # A whole question does not fit into another sentence as it is.
        text = back + words["sentence" if _IS_SENTENCE.search(topic) else "answer"].format(topic=topic)
    return Script(text, follow_ups=[line.format(topic=topic) for line in words["follow_ups"].splitlines()])


_SMALL_TALK = {"greeting": _GREETING, "thanks": _THANKS, "farewell": _FAREWELL, "about": _ABOUT_IT}
_ENGLISH = {
    "anything": "your question",
    "greeting": "Hello! I am glad you are here. Ask me anything and I will do my best to help.",
    "thanks": "You are welcome! If something is still open, just ask.",
    "farewell": "Goodbye, and come back whenever you like.",
    "about": (
        "I am a bot of the emulator. I know nothing, but I answer whatever you ask, in the language you ask in, I "
        "remember our conversation, and I suggest what to ask next. A script makes me say what you need."
    ),
    "offers": "What can you do?\nTell me about green tea.\nHow do I learn something new?",
    "last": "The question before this one was: {previous}",
    "first": "This is the first question of our conversation, so there is nothing to look back to yet.",
    "back": "Earlier we talked about {previous}; let us go on from there. ",
    "answer": (
        "Here is how I would look at {topic}. Start with what you already know, choose one small part of it, and try "
        "it out today. Then compare what happened with what you expected: the difference shows where to look next. "
        "If you tell me a little more about your situation, I can be more specific."
    ),
    "sentence": (
        "You ask: “{topic}?” A good way in is to look at what you have tried so far and what came of it. Then change "
        "one thing at a time, the smallest first, and keep what helps. Tell me what you expect to happen, and we can "
        "go through it step by step."
    ),
    "follow_ups": (
        "Can you give me an example of {topic}?\nWhat is a good first step with {topic}?\nWhat is often overlooked?"
    ),
}
_CHINESE = {
    "anything": "你的问题",
    "greeting": "你好！很高兴见到你。有什么想问的，尽管告诉我，我会尽力帮忙。",
    "thanks": "不客气！还有什么想问的，随时告诉我。",
    "farewell": "再见，欢迎随时再来。",
    "about": (
        "我是模拟器里的机器人。我其实什么都不知道，但你问什么我都会用你的语言回答，会记得前面聊过的内容，"
        "还会建议接下来可以问什么。写一个脚本，我就能说你需要的话。"
    ),
    "offers": "你能做什么？\n介绍一下西湖龙井茶\n怎么学会一样新东西？",
    "last": "你上一个问题是：{previous}",
    "first": "这是我们这次对话的第一个问题，前面还没有聊过别的内容。",
    "back": "刚才我们聊到“{previous}”，接着往下说。",
    "answer": (
        "关于“{topic}”，我会这样看：先从你已经知道的部分入手，挑一个小目标，今天就动手试一试；"
        "然后把结果和预期对照一下，差别在哪里，下一步就从哪里开始。如果愿意多说说你的情况，我可以讲得更具体。"
    ),
    "sentence": (
        "你问的是“{topic}？”不妨先看看已经试过什么、结果怎么样，再每次只改一处，从最小的改起，有用的就留下。"
        "告诉我你希望看到什么结果，我们一步一步来。"
    ),
    "follow_ups": "能举一个“{topic}”的例子吗？\n第一步应该怎么做？\n常见的误区有哪些？",
}


def default_workflow(given: WorkflowInput) -> WorkflowScript:
    """A run of two nodes whose output is built from the parameters; an id ending in "ask" asks first."""
    if given.workflow_id.endswith("ask"):
        chinese = is_chinese(str(given.parameters))
        question = "请问是哪个城市？" if chinese else "Which city is it about?"
        return WorkflowScript(ask=Ask(question, then=lambda answer: _two_nodes({**given.parameters, "answer": answer})))
    return _two_nodes(given.parameters)


def _two_nodes(parameters: Mapping[str, Any]) -> WorkflowScript:
    values = [value if isinstance(value, str) else repr(value) for value in parameters.values()]
    told = ", ".join(values)
    if is_chinese(told):
        note, output = f"正在处理：{told}", f"已完成：{told}"
    else:
        note, output = f"Working on {told or 'your request'} now.", f"Finished: {told or 'nothing was given'}."
    return WorkflowScript({"output": output}, nodes=[Node("Message", note)])
