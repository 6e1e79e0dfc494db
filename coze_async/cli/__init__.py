"""The command `coze-async`: talk to a bot, run a workflow, serve the emulator, look for what is wrong."""

import sys
from collections.abc import Sequence

__all__ = ["main"]

_EXTRAS = ("cyclopts", "rich")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 0 done, 1 failed, 2 wrong usage, 130 stopped with Ctrl-C.

    Args:
        arguments: What stands after the command's name; None takes the process's own.
    """
    try:
        from coze_async.cli._app import run
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing not in _EXTRAS:
            raise
        print(
            f"coze-async needs {missing}, which is not installed: pip install 'coze_async[cli]'",
            file=sys.stderr,
        )
        return 1
    except KeyboardInterrupt:
        # All that it needs takes half a second to load.
        return 130
    return run(sys.argv[1:] if arguments is None else arguments)
