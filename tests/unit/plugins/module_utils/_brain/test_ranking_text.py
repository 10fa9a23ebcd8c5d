# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from decimal import Decimal

from ranking_kit import NOW
from ranking_kit import TYPES
from ranking_kit import decide
from ranking_kit import survey

from ansible_collections.ethereal.spot.plugins.module_utils._brain.ranking.text import ranking_lines

HEADING = "2 x g4dn.xlarge, g5.xlarge or g6.xlarge on spot, Linux/UNIX"


def test_the_whole_text():
    decision = decide(
        survey("us-west-2", 3, "0.2105", on_demand={TYPES[0]: Decimal("0.526")}),
        survey("eu-west-1", 9, "0.2351", on_demand={TYPES[0]: Decimal("0.58912")}),
        survey("ap-south-1", problem="DeadlineExceeded: no answer within 30 seconds"),
        survey("sa-east-1", 9, "0.7"),
        survey("us-east-1", 9, "0.1"),
        target_capacity=2,
        max_price=Decimal("0.50"),
        excluded=["us-east-1"],
    )
    assert ranking_lines(decision, NOW, ["quota of eu-west-1 unknown"]) == [
        f"{HEADING}, at most 0.5 USD/h",
        "Rule: the lowest expected cost of an hour of work: the spot price, and what interruptions cost, as score, Spot Advisor",
        "      and own losses tell.",
        "",
        "#  place      score   USD/h  on demand  saves  work hour  zone        type         why",
        "-  ---------  -----  ------  ---------  -----  ---------  ----------  -----------  " + "-" * 65,
        "1  eu-west-1      9  0.2351    0.58912   60 %     0.2546  eu-west-1a  g4dn.xlarge  "
        "12 % dearer than us-west-2, but 62 % fewer interruptions expected",
        "2  us-west-2      3  0.2105    0.52600   59 %     0.3292  us-west-2a  g4dn.xlarge  "
        "10 % cheaper than eu-west-1, but 2.6 times the interruptions",
        "",
        "Not possible:",
        "  sa-east-1   rejected     the cheapest costs 0.7 USD/h, the ceiling is 0.5",
        "  ap-south-1  unreachable  DeadlineExceeded: no answer within 30 seconds",
        "  us-east-1   excluded     excluded by the caller",
        "",
        "Note: quota of eu-west-1 unknown",
        "",
        "Best: eu-west-1, 0.4702 USD/h in all (1.17824 on demand).",
    ]


def test_regions_are_named_only_where_places_are_called_otherwise():
    lines = ranking_lines(decide(survey("us-east-1", 1, "0.5"), places={"virginia": "us-east-1"}), NOW)
    assert next(line for line in lines if line.startswith("#")).split()[:3] == ["#", "place", "region"]
    assert "Best: virginia (us-east-1), 0.5 USD/h in all (1 on demand)." in lines


def test_columns_that_say_nothing_are_left_out():
    lines = ranking_lines(decide(survey("a", None, "0.5", on_demand={})), NOW)
    heading = next(line for line in lines if line.startswith("#"))
    assert heading.split() == ["#", "place", "USD/h", "work", "hour", "zone", "type", "why"]


def test_on_demand_has_neither_scores_nor_savings():
    lines = ranking_lines(decide(survey("a", None, "0.5"), market="on_demand"), NOW)
    assert lines[0].startswith("1 x g4dn.xlarge, g5.xlarge or g6.xlarge on demand")
    assert next(line for line in lines if line.startswith("#")).split() == [
        "#",
        "place",
        "USD/h",
        "zone",
        "type",
        "why",
    ]
    assert lines[-1] == "Best: a, 1 USD/h in all."


def test_a_price_that_is_not_known_is_said_so():
    lines = ranking_lines(decide(survey("a", on_demand={}, on_demand_problem="no"), market="on_demand"), NOW)
    assert lines[-1] == "Best: a, at a price that is not known."


def test_kept_scores_tell_their_age():
    three = {"asked_at": NOW - 3 * 3600 - 100, "kept": True}
    yesterday = {"asked_at": NOW - 20 * 3600, "kept": True}
    fresh = {"asked_at": NOW}
    both = ranking_lines(decide(survey("a", 9, "1", **three), survey("b", 9, "1", **yesterday)), NOW)
    assert "Scores of 12:00 UTC yesterday (20 h old) and 04:58 UTC (3 h old)." in both
    zones = ranking_lines(decide(survey("a", 9, "1", asked_at=NOW - 90, kept=True), single_zone=True), NOW)
    assert "Zone scores of 07:58 UTC (1 min old)." in zones
    assert not any("old)" in line for line in ranking_lines(decide(survey("a", 9, "1", **fresh)), NOW))


def test_a_choice_that_the_reference_would_not_make_is_told():
    lines = ranking_lines(decide(survey("a", 9, "0.9"), survey("b", 8, "0.2")), NOW)
    assert lines[-1] == "By score and then price it would have been a."


def test_where_on_demand_is_the_better_bargain_the_text_says_so():
    lines = ranking_lines(decide(survey("a", 1, "0.9")), NOW)
    assert lines[-1] == "With so many interruptions expected, an hour of work on demand would cost less."


def test_nothing_left():
    lines = ranking_lines(decide(survey("a", 1)), NOW)
    assert lines[3:] == [
        "",
        "No place is possible:",
        "  a  rejected  no zone sells g4dn.xlarge or g5.xlarge or g6.xlarge on spot now",
        "",
        "No place is left.",
    ]


def test_prices_have_their_points_in_one_column():
    lines = ranking_lines(decide(survey("a", 9, "0.5"), survey("b", 9, "10.0625")), NOW)
    rows = [line for line in lines if line.startswith(("1", "2")) and " x " not in line]
    assert len({row.index(".") for row in rows}) == 1


def test_one_type_is_named_alone():
    one = survey("a", 9, "0.5", offers={"a-az1": frozenset({"g5.xlarge"})})
    assert ranking_lines(decide(one, instance_types=["g5.xlarge"]), NOW)[0] == "1 x g5.xlarge on spot, Linux/UNIX"
