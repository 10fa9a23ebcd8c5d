# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""`python -m sandbox PORT`: serve until SIGTERM or SIGINT."""

from __future__ import annotations

import argparse
import socket
import sys

from sandbox import ending
from sandbox import environment


def listen(port: int) -> socket.socket:
    """A listening socket on the loopback interface. Exits with one line and status 1 where the port is taken."""
    server = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        server.bind(("127.0.0.1", port))
        # Listening at once, not only when the emulators are loaded: bind alone does not keep a second sandbox off the port.
        server.listen(128)
    except OSError as error:
        sys.exit(f"sandbox: cannot listen on 127.0.0.1:{port}: {error.strerror}")
    return server


def main() -> None:
    parser = argparse.ArgumentParser(prog="sandbox", description="A local AWS on one loopback port.")
    parser.add_argument("port", type=int, help="TCP port on 127.0.0.1")
    port = parser.parse_args().port
    server = listen(port)
    ending.arrange(environment.prepare(port))
    # The emulators read the environment when they are imported.
    from sandbox.server import serve

    serve(server, port)


if __name__ == "__main__":
    main()
