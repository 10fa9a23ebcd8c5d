# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Advisor data from files and from a web server on this machine."""

from __future__ import annotations

import http.server
import io
import itertools
import json
import os
import threading
from types import SimpleNamespace

import pytest

from ansible_collections.ethereal.spot.plugins.module_utils._brain.advisor import LARGEST_BYTES
from ansible_collections.ethereal.spot.plugins.module_utils._brain.advisor import Advice
from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import InputError
from ansible_collections.ethereal.spot.plugins.module_utils._edge import advisor

MODULE = SimpleNamespace(params={})
DATA = json.dumps(
    {
        "ranges": [{"index": 0, "label": "<5%", "max": 5}],
        "spot_advisor": {"us-west-2": {"Linux": {"g5.xlarge": {"s": 62, "r": 0}}}},
    }
).encode()
ADVICE = {"us-west-2": {"g5.xlarge": Advice(62, "<5%", 5)}}


@pytest.fixture
def web(monkeypatch):
    """The URL of a server with answers by path, and the paths it was asked for."""
    asked = []
    answers = {"/data.json": (200, DATA), "/broken.json": (200, b"{"), "/large": (200, b" " * (LARGEST_BYTES + 1))}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            status, body = answers.get(self.path.partition("?")[0], (404, b""))
            if self.path == "/moved":
                status, body = 302, b""
            self.send_response(status)
            self.send_header("Location", "/data.json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            try:
                self.wfile.write(body)
            except ConnectionError:
                pass

        def log_message(self, *args):
            pass

    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield SimpleNamespace(url=f"http://127.0.0.1:{server.server_port}", asked=asked)
    server.shutdown()
    server.server_close()


def test_a_file(tmp_path):
    path = tmp_path / "advisor.json"
    path.write_bytes(DATA)
    assert advisor.read_advisor(MODULE, str(path)) == (ADVICE, None)


def test_a_url(web):
    assert advisor.read_advisor(MODULE, f"{web.url}/data.json") == (ADVICE, None)


def test_another_system_has_none(web):
    assert advisor.read_advisor(MODULE, f"{web.url}/data.json", "Windows") == ({"us-west-2": {}}, None)


@pytest.mark.parametrize(
    ("path", "reason"), [("/missing?signature=secret", "404"), ("/moved", "302")], ids=["missing", "moved"]
)
def test_what_cannot_be_had_is_a_warning_without_secrets(web, path, reason):
    advice, warning = advisor.read_advisor(MODULE, f"{web.url.replace('//', '//user:secret@')}{path}")
    assert advice == {}
    assert warning == f"advisor: could not read http://127.0.0.1{path.partition('?')[0]}: {reason}"
    assert web.asked == [path], "a redirect is not followed"


def test_a_missing_file_and_a_closed_port_are_warnings(tmp_path, web):
    path = tmp_path / "none.json"
    assert advisor.read_advisor(MODULE, str(path)) == (
        {},
        f"advisor: could not read {path}: No such file or directory",
    )
    advice, warning = advisor.read_advisor(MODULE, "http://127.0.0.1:1/data.json")
    assert advice == {}
    assert "refused" in warning


def test_a_slow_answer_is_a_warning(monkeypatch):
    clock = itertools.count(0, 15)
    monkeypatch.setattr(advisor, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    monkeypatch.setattr(advisor, "CHUNK", 1)
    monkeypatch.setattr(advisor, "open_url", lambda url, **_: io.BytesIO(DATA))
    assert advisor.read_advisor(MODULE, "http://127.0.0.1/data.json") == (
        {},
        "advisor: could not read http://127.0.0.1/data.json: no whole answer within 20 seconds",
    )


def test_broken_and_oversized_data_are_refused(web):
    with pytest.raises(InputError, match="must be JSON"):
        advisor.read_advisor(MODULE, f"{web.url}/broken.json")
    with pytest.raises(InputError, match="16 MiB"):
        advisor.read_advisor(MODULE, f"{web.url}/large")


def test_a_file_that_never_ends_is_refused(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (pipe, "/dev/zero", tmp_path):
        with pytest.raises(InputError, match="must be a regular file"):
            advisor.read_advisor(MODULE, str(path))


@pytest.mark.parametrize(
    "source",
    [
        "file:///etc/passwd",
        "file:/etc/passwd",
        "ftp://127.0.0.1/data.json",
        "s3://spot-bid-advisor/spot-advisor-data.json",
        "data:application/json,{}",
        "http:///data.json",
        "http://[::1/data.json",
        # Instance metadata, in every spelling.
        "http://169.254.169.254/latest/meta-data/",
        "http://169.254.170.2/v2/credentials/",
        "http://2852039166/latest/",
        "http://0xa9fea9fe/latest/",
        "http://[fd00:ec2::254]/latest/",
        "http://[::ffff:169.254.169.254]/latest/",
        "https://user:secret@169.254.169.254/",
    ],
)
def test_no_other_scheme_and_no_metadata(source, monkeypatch):
    monkeypatch.setattr(advisor, "open_url", None)
    with pytest.raises(InputError) as refused:
        advisor.read_advisor(MODULE, source)
    assert refused.value.option == "advisor"
    assert "secret" not in refused.value.message


def test_a_name_that_means_metadata_is_not_asked(monkeypatch):
    monkeypatch.setattr(advisor, "open_url", None)
    monkeypatch.setattr(advisor.socket, "getaddrinfo", lambda *_: [(0, 0, 0, "", ("169.254.169.254", 80))])
    with pytest.raises(InputError, match="instance metadata"):
        advisor.read_advisor(MODULE, "http://metadata.example.com/")


def test_certificates_are_checked_unless_the_module_says_otherwise(monkeypatch):
    checked = []

    def refuse(url, validate_certs, **_):
        checked.append(validate_certs)
        raise OSError("not reached")

    monkeypatch.setattr(advisor, "open_url", refuse)
    for given in ({}, {"validate_certs": True}, {"validate_certs": False}):
        advisor.read_advisor(SimpleNamespace(params=given), "https://127.0.0.1/data.json")
    assert checked == [True, True, False]
