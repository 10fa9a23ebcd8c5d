# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import threading
import time

import pytest

from ansible_collections.ethereal.spot.plugins.module_utils._edge import module as edge


class Failed(Exception):
    pass


class Module:
    def fail_json(self, msg):
        raise Failed(msg)


class Session:
    """Notes the clients it is asked for, and whether it was asked for two at once."""

    def __init__(self):
        self.made = []
        self.at_once = 0
        self._busy = threading.Lock()

    def client(self, service, region_name, **_):
        if not self._busy.acquire(blocking=False):
            self.at_once += 1
            return object()
        try:
            time.sleep(0.01)
            self.made.append((service, region_name))
            return object()
        finally:
            self._busy.release()


@pytest.fixture
def session(monkeypatch):
    session = Session()
    monkeypatch.setattr(edge, "get_aws_connection_info", lambda module: ("us-east-1", None, {}))
    monkeypatch.setattr(edge.boto3.session, "Session", lambda profile_name: session)
    return session


def test_threads_share_clients_and_no_two_are_made_at_once(session):
    clients = edge.Clients(Module())
    wanted = [("ec2", None), ("ec2", "us-east-1"), ("ecs", None), ("ec2", "eu-west-1")] * 4
    got = {}
    start = threading.Barrier(len(wanted))

    def ask(number, service, region):
        start.wait()
        got[number] = clients(service, region)

    threads = [threading.Thread(target=ask, args=(number, *want)) for number, want in enumerate(wanted)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert session.at_once == 0
    assert sorted(session.made) == [("ec2", "eu-west-1"), ("ec2", "us-east-1"), ("ecs", "us-east-1")]
    assert len(set(map(id, got.values()))) == 3
    assert got[0] is got[1], "a region given by name is the module's own"


def test_no_client_is_made_before_it_is_asked_for(session):
    edge.Clients(Module())
    assert session.made == []


def test_a_missing_region_is_named(session, monkeypatch):
    monkeypatch.setattr(edge, "get_aws_connection_info", lambda module: (None, None, {}))
    with pytest.raises(Failed, match=r"^region: one is needed"):
        edge.Clients(Module())("ec2")
