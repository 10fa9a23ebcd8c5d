# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Decision records, and the state as a document, of every decision of a replayed market."""

from __future__ import annotations

import json

import pytest

from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import EtherealSpotError
from ansible_collections.ethereal.spot.plugins.module_utils._brain.ledger import Pool
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.decide import decide
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.documents import document
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.documents import state_from
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.model import Observations
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.model import Quote
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.model import Refusal
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.model import Replica
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.model import State
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.records import record_of
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.settings import settings_for
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay import fleet
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.generate import Options as Market
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.generate import generate
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.generate import text_of
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.run import Options
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.run import replay
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.trace import read_trace

NOW = 1_800_000_000
DOLLAR = 1_000_000


def quote(name: str, price: int, **more) -> Quote:
    market = "on_demand" if name.startswith("od") else "spot"
    region = f"region-{name[-1]}"
    return Quote(name, Pool(region, region, name, "g5.xlarge", market), price, **more)


SHORT = Observations(
    quotes=(
        quote("zone-a", 400_000),
        quote("zone-b", 300_000),
        quote("zone-c", 200_000, data_ready=False),
        quote("zone-d", 100_000, room=0),
        quote("od-a", DOLLAR),
    ),
    replicas=(Replica("i-1", "zone-a", True, True, NOW - 3600), Replica("i-2", "zone-a", True, False, NOW - 3600)),
    refusals=(Refusal("zone-b", "InsufficientInstanceCapacity", "no room"),),
)


@pytest.fixture
def record():
    wanted = settings_for(3, policy={"max_extra": 0})
    decision = decide(State(), SHORT, NOW, wanted)
    return record_of(State(), SHORT, NOW, wanted, decision)


def test_what_was_seen_is_told(record):
    assert record["inputs"]["healthy"] == {"spot": 1, "on_demand": 0}
    assert record["inputs"]["warned"] == ["i-1"]
    assert record["inputs"]["refused"] == [{"pool": "zone-b", "code": "InsufficientInstanceCapacity"}]


@pytest.mark.parametrize(
    ("pool", "word"),
    [
        ("zone-a", "after a loss"),
        ("zone-b", "InsufficientInstanceCapacity"),
        ("zone-c", "data"),
        ("zone-d", "quota"),
        ("od-a", "open"),
    ],
)
def test_every_pool_says_what_stands_against_it(record, pool, word):
    verdicts = {each["pool"]: each["verdict"] for each in record["alternatives"]}
    assert word in verdicts[pool]


def test_what_was_wanted_and_what_there_will_be(record):
    assert record["orders"] == [
        {"action": "launch", "pool": "od-a", "count": 2, "rule": "fall back to on-demand"},
    ]
    assert record["requested"] == {"spot": 3, "on_demand": 0}
    assert record["realised"] == {"spot": 1, "on_demand": 2}
    assert record["expected"]["placement"] == {"region-a": {"spot": 1, "on_demand": 2}}
    assert record["expected"]["hourly_cost"] == "2.4"


@pytest.mark.parametrize(("mode", "spread"), [("default", "any"), ("strict", "single_region"), ("reference", "any")])
def test_every_decision_of_a_market_has_a_record_and_a_state_that_survives_its_document(monkeypatch, mode, spread):
    seen = []

    def watched(state, observed, now, settings):
        decision = decide(state, observed, now, settings)
        plain = json.loads(json.dumps(document(decision.state), allow_nan=False))
        assert state_from(plain, decision.state.ledger) == decision.state
        if decision.actions:
            record = record_of(state, observed, now, settings, decision)
            assert json.loads(json.dumps(record, allow_nan=False)) == record
            assert sum(record["realised"].values()) == sum(
                sum(markets.values()) for markets in record["expected"]["placement"].values()
            )
            seen.append(record)
        return decision

    monkeypatch.setattr(fleet, "decide", watched)
    market = read_trace(text_of(generate(Market(seed=5, days=2, zones=4, regions=2))).encode())
    replay(market, Options(replicas=3, mode=mode, policy={"spread": spread}), [])
    assert len(seen) > 10


@pytest.mark.parametrize("change", [{"schema_version": 2}, {"schema_version": None}, {"more": 1}])
def test_a_state_of_another_version_is_refused(change):
    with pytest.raises(EtherealSpotError, match="schema_version"):
        state_from({**document(State()), **change}, {})
