"""The wire on asyncio, without httpx."""

from coze_async._wire._fast._lasting import run_lasting
from coze_async._wire._fast._pristine import is_pristine
from coze_async._wire._fast._wire import FastWire, runs_here

__all__ = ["FastWire", "is_pristine", "run_lasting", "runs_here"]
