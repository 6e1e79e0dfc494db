"""What an account may do: calls a second, calls of one user a minute, and how much in all."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

Bucket: TypeAlias = Literal["chat", "workflow", "plugin", "upload"]
"""Calls that are counted together (coze.cn pages get_benefit and upload_files)."""
Kind: TypeAlias = Literal["chat", "bot_management", "bot_info"]
"""What the page of Coze Plus counts for each user."""

PLUS_PER_MINUTE: Mapping[str, int] = {"chat": 60, "bot_management": 30, "bot_info": 100}
"""The table of the page of Coze Plus; the server itself refuses nothing."""


@dataclass(frozen=True, slots=True)
class EmulatorLimits:
    """How many calls an emulated server takes; what is over it is refused with HTTP 429. None is no limit.

    `coze.benefits.retrieve(benefit_type_list=["api_run_qps"], resource_id="chat")` tells the numbers of an account.
    """

    chat_qps: int | None = None
    """Calls in any second that start a chat, look at one or list its messages, together."""
    workflow_qps: int | None = None
    """Calls in any second that run a workflow or chatflow or read the records of runs, together."""
    plugin_qps: int | None = None
    """Calls in any second that call a tool of a plug-in or read a plug-in, together."""
    upload_qps: int | None = None
    """Uploads in any second; the service takes 10, of enterprises 20."""
    per_user: Mapping[str, int] | None = None
    """Calls in any minute of one user, for "chat", "bot_management" and "bot_info". None is what the dialect has: on
    the page of Coze Plus 60, 30 and 100."""

    def __post_init__(self) -> None:
        for name in ("chat_qps", "workflow_qps", "plugin_qps", "upload_qps"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} is {value}: give the calls per second, 1 or more, or None for no limit.")
        unknown = set(self.per_user or ()) - set(PLUS_PER_MINUTE)
        if unknown:
            raise ValueError(f"per_user knows chat, bot_management and bot_info, not {', '.join(sorted(unknown))}.")

    def of(self, bucket: Bucket) -> int | None:
        """How many calls of a bucket a second takes."""
        limit: int | None = getattr(self, f"{bucket}_qps")
        return limit


@dataclass(frozen=True, slots=True)
class Quota:
    """How much an account has left in all; nothing fills it up again.

    With the code 4028 a chat beyond it is created and fails; with 4008 (the bot's day is used up) or 4011 (no tokens
    are left) it is refused.
    """

    chats: int | None = None
    tokens: int | None = None
    code: int = 4028

    def __post_init__(self) -> None:
        for name, most in (("chats", self.chats), ("tokens", self.tokens)):
            if isinstance(most, bool) or (most is not None and most < 0):
                raise ValueError(f"{name} of a quota is {most}: give a number, 0 or more, or None for no end.")
        if self.code not in {4008, 4011, 4028}:
            raise ValueError(f"The code of a quota is 4008, 4011 or 4028, not {self.code}.")

    def is_spent(self, chats: int, tokens: int) -> bool:
        """Whether no further chat is covered after so many chats and tokens."""
        return (self.chats is not None and chats >= self.chats) or (self.tokens is not None and tokens >= self.tokens)


class Windows:
    """Exact sliding windows: in any so many seconds no more than the limit gets through, and only that is counted."""

    def __init__(self) -> None:
        self._calls: dict[tuple[str, str], deque[float]] = {}
        """Who called lately, and when; who called last stands last."""
        self._longest = 0.0

    def admit(self, key: tuple[str, str], now: float, limit: int, seconds: float) -> bool:
        """Whether one more call gets through now."""
        self._longest = max(self._longest, seconds)
        calls = self._calls.pop(key, None) or deque()
        while calls and calls[0] <= now - seconds:
            calls.popleft()
        is_admitted = len(calls) < limit
        if is_admitted:
            calls.append(now)
        if calls:
            self._calls[key] = calls
        # Whose calls count no more is forgotten: a server may run for days, and meet many users.
        while self._calls and self._calls[first := next(iter(self._calls))][-1] <= now - self._longest:
            del self._calls[first]
        return is_admitted
