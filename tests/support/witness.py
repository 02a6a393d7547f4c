"""A witness over HTTP, as another agency runs it."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.audit.cosignature import Cosigner
from services.audit.note import PublicKey
from services.audit.witness.server import Server, Witness
from services.audit.witness.state import State
from services.audit.witnessing import WitnessAt


def cosigner(name: str = "witness.example/w1") -> Cosigner:
    return Cosigner(name, Ed25519PrivateKey.from_private_bytes(name.encode().ljust(32)[-32:]))


@dataclass(frozen=True)
class Running:
    """A witness that answers."""

    site: WitnessAt
    state: State
    folder: Path


@contextmanager
def running_witness(
    folder: Path, logs: Sequence[PublicKey], name: str = "witness.example/w1", port: int = 0
) -> Iterator[Running]:
    keys: dict[str, list[PublicKey]] = {}
    for key in logs:
        keys.setdefault(key.name, []).append(key)
    state = State(folder, keys)
    signer = cosigner(name)
    with Server(("127.0.0.1", port), Witness(signer, keys, state)) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            url = f"http://127.0.0.1:{server.server_port}"
            yield Running(WitnessAt(url, signer.public), state, folder)
        finally:
            server.shutdown()
            thread.join()
            state.close()
