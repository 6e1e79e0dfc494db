"""TLS between a connection and its socket, in buffers that are empty when nothing is on its way.

asyncio's own TLS keeps 256 KiB for each connection, a thousand idle streams a quarter of a GiB.
"""

import ssl
from collections import deque

__all__ = ["Tls"]

# How much goes through OpenSSL at a time: its buffers grow with it, and never shrink.
_SLICE = 4096


class Tls:
    """The client's side of one TLS connection, without the socket.

    Attributes:
        is_over: True once nothing more will come: the server has said so, or there was an error.
        error: What went wrong after the handshake, in the words of OpenSSL; what came before it was returned.
        object: What OpenSSL knows of the connection.
    """

    __slots__ = ("_incoming", "_outgoing", "_waiting", "error", "is_over", "object")

    def __init__(self, context: ssl.SSLContext, host: str) -> None:
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self.object: ssl.SSLObject = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)
        self._waiting: deque[bytes | memoryview] = deque()
        self.is_over = False
        self.error: str | None = None

    @property
    def has_unsent(self) -> bool:
        """True if something is not encrypted yet: the server wants to agree on keys first."""
        return bool(self._waiting)

    def handshake(self, data: bytes | memoryview) -> bool:
        """Go on with the handshake, with what came from the socket; True when it is done.

        Raises:
            ssl.SSLError: the server is not who it should be, or speaks no TLS.
        """
        self._incoming.write(data)
        try:
            self.object.do_handshake()
        except ssl.SSLWantReadError:
            return False
        return True

    def decrypt(self, data: bytes | memoryview) -> bytes:
        """Take what came from the socket; return what the server has sent, up to an error if there is one."""
        pieces: list[bytes] = []
        read, view = self.object.read, memoryview(data)
        try:
            for begin in range(0, len(view) or 1, _SLICE):
                self._incoming.write(view[begin : begin + _SLICE])
                try:
                    # Nothing to read means that there will be nothing; what has not come yet is an error of its own.
                    while piece := read(_SLICE):
                        pieces.append(piece)
                    self.is_over = True
                except ssl.SSLWantReadError:
                    pass
            self._encrypt_waiting()
        except ssl.SSLError as error:
            self.error = str(error)
            self.is_over = True
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def encrypt(self, data: bytes) -> bytes:
        """Take what is to be sent; return what goes to the socket now."""
        view = memoryview(data)
        self._waiting.extend(view[begin : begin + _SLICE] for begin in range(0, len(view), _SLICE))
        self._encrypt_waiting()
        return self.outgoing()

    def _encrypt_waiting(self) -> None:
        waiting = self._waiting
        try:
            while waiting:
                self.object.write(waiting[0])
                waiting.popleft()
        except ssl.SSLWantReadError:
            # The server wants to agree on keys again, and must be heard first.
            pass

    def outgoing(self) -> bytes:
        """Return what TLS itself wants to send."""
        return self._outgoing.read() if self._outgoing.pending else b""
