"""CURVE on a socket that is about to open: whose keys it bears, and whom it asks for."""

from __future__ import annotations

import zmq

from teleop.wire.endpoints import Channel
from teleop.wire.errors import EndpointError
from teleop.wire.gatekeeper import domain
from teleop.wire.keys import Keyring


def lock_socket(socket: zmq.Socket[bytes], channel: Channel, keyring: Keyring | None, *, bind: bool) -> bool:
    """Make a socket speak CURVE, where there are keys and the address is tcp.

    Args:
        socket: not yet bound or connected.
        channel: what it will carry, where, and whose it is.
        keyring: keys of the program that opens it.
        bind: it will bind; otherwise it asks for the owner's key when it connects.

    Returns:
        Whether it will speak CURVE.

    Raises:
        EndpointError: a program binds what is another one's, or there is no public key of the owner.
    """
    if keyring is None or not channel.address.startswith("tcp://"):
        return False
    if bind and channel.owner != keyring.name:
        raise EndpointError(
            f"cannot bind {channel.address}: it is {channel.owner}'s, and the keys are {keyring.name}'s"
        )
    socket.setsockopt(zmq.CURVE_PUBLICKEY, keyring.public)
    socket.setsockopt(zmq.CURVE_SECRETKEY, keyring.secret)
    if bind:
        socket.setsockopt(zmq.CURVE_SERVER, 1)
        socket.setsockopt(zmq.ZAP_DOMAIN, domain(channel))
        socket.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)
    else:
        socket.setsockopt(zmq.CURVE_SERVERKEY, keyring.peer(channel.owner))
    return True
