"""The fast transport: HTTP/1.1 straight on an asyncio protocol, where it can serve; httpx's own everywhere else."""

from coze_async._fast._shortcut import Shortcut
from coze_async._fast._transport import FastTransport, runs_here

__all__ = ["FastTransport", "Shortcut", "runs_here"]
