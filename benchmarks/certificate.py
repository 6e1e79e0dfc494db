"""A certificate for the server of the benchmark, made anew for every run."""

import datetime as dt
import ipaddress
from pathlib import Path

__all__ = ["make"]


def make(folder: Path) -> tuple[Path, Path]:
    """Write a certificate with its key, and a store that trusts it; return both.

    The store holds what httpx trusts by default too: reading it is part of what a first connection costs.
    """
    import certifi
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "benchmark")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    public = certificate.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    server, store = folder / "server.pem", folder / "store.pem"
    server.touch(mode=0o600)
    server.write_bytes(public + private)
    store.write_bytes(Path(certifi.where()).read_bytes() + b"\n" + public)
    return server, store
