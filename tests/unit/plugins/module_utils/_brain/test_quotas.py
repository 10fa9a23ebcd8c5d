# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ethereal.spot.plugins.module_utils._brain.quotas import CODES
from ansible_collections.ethereal.spot.plugins.module_utils._brain.quotas import ON_DEMAND
from ansible_collections.ethereal.spot.plugins.module_utils._brain.quotas import SPOT
from ansible_collections.ethereal.spot.plugins.module_utils._brain.quotas import UNKNOWN_FAMILY
from ansible_collections.ethereal.spot.plugins.module_utils._brain.quotas import Quota
from ansible_collections.ethereal.spot.plugins.module_utils._brain.quotas import family_of
from ansible_collections.ethereal.spot.plugins.module_utils._brain.quotas import needed_vcpus
from ansible_collections.ethereal.spot.plugins.module_utils._brain.quotas import quota_code
from ansible_collections.ethereal.spot.plugins.module_utils._brain.quotas import quota_codes
from ansible_collections.ethereal.spot.plugins.module_utils._brain.quotas import verdict
from ansible_collections.ethereal.spot.plugins.module_utils._brain.quotas import verdicts

G_SPOT = "L-3819A6DF"
G_ON_DEMAND = "L-DB2E81BA"
P_SPOT = "L-7212CCBC"
P5_SPOT = "L-C4BD4855"
STANDARD_SPOT = "L-34B43A08"


# Names and codes: EC2 user guide, "Spot Instance quotas" and "On-Demand Instance quotas".
@pytest.mark.parametrize(
    ("instance_type", "family", "spot", "on_demand"),
    [
        ("a1.large", "Standard", STANDARD_SPOT, "L-1216C47A"),
        ("c7g.xlarge", "Standard", STANDARD_SPOT, "L-1216C47A"),
        ("d3en.12xlarge", "Standard", STANDARD_SPOT, "L-1216C47A"),
        ("h1.2xlarge", "Standard", STANDARD_SPOT, "L-1216C47A"),
        ("i4i.metal", "Standard", STANDARD_SPOT, "L-1216C47A"),
        ("im4gn.large", "Standard", STANDARD_SPOT, "L-1216C47A"),
        ("is4gen.medium", "Standard", STANDARD_SPOT, "L-1216C47A"),
        ("m7i-flex.large", "Standard", STANDARD_SPOT, "L-1216C47A"),
        ("m7i.metal-48xl", "Standard", STANDARD_SPOT, "L-1216C47A"),
        ("r5b.large", "Standard", STANDARD_SPOT, "L-1216C47A"),
        ("t4g.nano", "Standard", STANDARD_SPOT, "L-1216C47A"),
        ("z1d.large", "Standard", STANDARD_SPOT, "L-1216C47A"),
        ("dl1.24xlarge", "DL", "L-85EED4F7", "L-6E869C2A"),
        ("dl2q.24xlarge", "DL", "L-85EED4F7", "L-6E869C2A"),
        ("f2.12xlarge", "F", "L-88CF9481", "L-74FC7D96"),
        ("g4dn.xlarge", "G and VT", G_SPOT, G_ON_DEMAND),
        ("g6e.48xlarge", "G and VT", G_SPOT, G_ON_DEMAND),
        ("gr6.4xlarge", "G and VT", G_SPOT, G_ON_DEMAND),
        ("vt1.3xlarge", "G and VT", G_SPOT, G_ON_DEMAND),
        ("hpc7g.4xlarge", "HPC", None, "L-F7808C92"),
        ("inf2.xlarge", "Inf", "L-B5D1601B", "L-1945791B"),
        ("p3dn.24xlarge", "P", P_SPOT, "L-417A185B"),
        ("p4de.24xlarge", "P", P_SPOT, "L-417A185B"),
        ("p5en.48xlarge", "P5", P5_SPOT, "L-417A185B"),
        ("p6-b200.48xlarge", "P5", P5_SPOT, "L-417A185B"),
        ("trn1n.32xlarge", "Trn", "L-6B0D517C", "L-2C3B7624"),
        ("u-6tb1.112xlarge", "High Memory", None, "L-43DA4232"),
        ("u7i-12tb.224xlarge", "High Memory", None, "L-43DA4232"),
        ("x2iedn.8xlarge", "X", "L-E3A00192", "L-7295265B"),
        # Dedicated hosts only; an old generation; one that does not exist yet; no types at all.
        ("mac2.metal", UNKNOWN_FAMILY, None, None),
        ("cc2.8xlarge", UNKNOWN_FAMILY, None, None),
        ("qc1.large", UNKNOWN_FAMILY, None, None),
        ("g", UNKNOWN_FAMILY, None, None),
        ("G5.xlarge", UNKNOWN_FAMILY, None, None),
        ("", UNKNOWN_FAMILY, None, None),
    ],
)
def test_the_quota_that_counts_a_type(instance_type, family, spot, on_demand):
    assert family_of(instance_type) == family
    assert quota_code(instance_type, SPOT) == spot
    assert quota_code(instance_type, ON_DEMAND) == on_demand


def test_no_code_serves_both_markets():
    assert not set(CODES[SPOT].values()) & set(CODES[ON_DEMAND].values())


def test_codes_to_ask_for():
    types = ["g5.xlarge", "g6.xlarge", "mac2.metal"]
    assert quota_codes(types, [SPOT]) == [G_SPOT]
    assert quota_codes(types, [SPOT, ON_DEMAND]) == [G_SPOT, G_ON_DEMAND]
    assert quota_codes(["p5.48xlarge"], [SPOT]) == [P_SPOT, P5_SPOT]
    assert quota_codes(["mac2.metal"], [SPOT, ON_DEMAND]) == []


def test_the_smallest_type_decides_what_is_needed():
    assert needed_vcpus(3, [16, 4, 8]) == 12


@pytest.mark.parametrize(
    ("needed", "limit", "used", "left", "enough", "reason"),
    [
        (8, "16.0", 8, 8, True, "has 8 of 16 left, 8 are needed"),
        (8, "16.0", 12, 4, False, "has 4 of 16 left, 8 would be needed"),
        (8, "16", 20, 0, False, "has 0 of 16 left, 8 would be needed"),
        (8, "0", 0, 0, False, "has 0 of 0 left, 8 would be needed"),
        (0, "0", 0, 0, True, "has 0 of 0 left, 0 are needed"),
        # Without the use nothing is certain, except that what is over the limit is too much.
        (8, "16", None, None, None, "is 16, its use is not known: UnauthorizedOperation: no"),
        (8, "4", None, None, False, "has 4 of 4 left, 8 would be needed"),
    ],
)
def test_verdicts_on_numbers(needed, limit, used, left, enough, reason):
    found = verdict(
        "us-west-2",
        SPOT,
        ["g6.xlarge", "g5.xlarge"],
        needed,
        Quota(G_SPOT, Decimal(limit), used),
        "UnauthorizedOperation: no",
    )
    assert (found.needed, found.left, found.enough) == (needed, left, enough)
    assert found.reason == f"spot vCPU quota of G and VT instances in us-west-2 ({G_SPOT}) {reason}"
    assert found.instance_types == ("g5.xlarge", "g6.xlarge")
    assert found.public()["limit"] == int(Decimal(limit))
    assert found.public()["instance_types"] == ["g5.xlarge", "g6.xlarge"]


@pytest.mark.parametrize(
    ("types", "market", "needed", "problem", "reason"),
    [
        (["g5.xlarge"], ON_DEMAND, 4, "AccessDeniedException: no", "AccessDeniedException: no"),
        (["g5.xlarge"], SPOT, 4, None, "AWS answered no value for it"),
        (["mac2.metal"], SPOT, 4, None, "no quota is known for mac2.metal"),
        (["hpc7g.4xlarge"], SPOT, 16, None, "no quota is known for hpc7g.4xlarge"),
    ],
)
def test_what_is_not_known_says_neither_yes_nor_no(types, market, needed, problem, reason):
    found = verdict("us-west-2", market, types, needed, None, problem)
    assert found.enough is None
    assert (found.limit, found.used, found.left) == (None, None, None)
    assert found.reason.endswith(f"cannot be judged: {reason}")
    assert found.public()["limit"] is None


def test_each_family_is_judged_by_its_own_quota():
    limits = {G_SPOT: Decimal("16.0"), STANDARD_SPOT: Decimal("256.0")}
    in_use = {("G and VT", SPOT): 12, ("Standard", SPOT): 8, ("G and VT", ON_DEMAND): 400}
    vcpus = {"g5.xlarge": 4, "g5.2xlarge": 8, "m5.xlarge": 4, "mac2.metal": 12}
    found = {each.family: each for each in verdicts("us-west-2", SPOT, 2, vcpus, limits, in_use)}
    assert {family: (each.needed, each.left, each.enough) for family, each in found.items()} == {
        "G and VT": (8, 4, False),
        "Standard": (8, 248, True),
        UNKNOWN_FAMILY: (24, None, None),
    }


def test_instances_that_run_already_are_not_needed_again():
    def judge(held):
        (found,) = verdicts(
            "us-west-2", SPOT, 3, {"g5.xlarge": 4}, {G_SPOT: Decimal(12)}, {("G and VT", SPOT): 12}, held
        )
        return found.needed, found.enough

    assert judge(0) == (12, False)
    assert judge(3) == (0, True)
    assert judge(5) == (0, True)


def test_an_unknown_size_may_be_the_smallest():
    (found,) = verdicts("us-west-2", SPOT, 9, {"g5.xlarge": 4, "g9.large": None}, {G_SPOT: Decimal(8)}, {})
    assert found.enough is None
    assert found.reason.endswith("the vCPUs of g9.large are not known")


def test_denied_answers_are_named_and_refuse_nothing():
    (found,) = verdicts("us-west-2", SPOT, 9, {"g5.xlarge": 4}, None, None, problem="AccessDeniedException: no")
    assert (found.enough, found.code) == (None, G_SPOT)
    assert "AccessDeniedException: no" in found.reason


@pytest.mark.parametrize(
    ("limits", "p5", "p4"),
    [
        # Split, as in the user guide of 2023: P5 has a quota of its own.
        ({P_SPOT: Decimal(96), P5_SPOT: Decimal(192)}, (P5_SPOT, 192, 100), (P_SPOT, 96, 48)),
        # Joined: one quota, "All P Spot Instance Requests", counts them all.
        ({P_SPOT: Decimal(768)}, (P_SPOT, 768, 148), (P_SPOT, 768, 148)),
        ({}, (P5_SPOT, None, None), (P_SPOT, None, None)),
    ],
)
def test_p5_with_and_without_a_spot_quota_of_its_own(limits, p5, p4):
    in_use = {("P", SPOT): 48, ("P5", SPOT): 100, ("P", ON_DEMAND): 8}
    found = verdicts("us-west-2", SPOT, 1, {"p4d.24xlarge": 96, "p5.48xlarge": 192}, limits, in_use)
    assert {each.family: (each.code, each.limit, each.used) for each in found} == {"P": p4, "P5": p5}


def test_on_demand_all_p_are_one_quota():
    in_use = {("P", ON_DEMAND): 48, ("P5", ON_DEMAND): 192, ("P5", SPOT): 192}
    found = verdicts("us-west-2", ON_DEMAND, 1, {"p5.48xlarge": 192}, {"L-417A185B": Decimal(384)}, in_use)
    assert [(each.used, each.left, each.enough) for each in found] == [(240, 144, False)]


numbers = st.integers(0, 5000)


@given(numbers, st.integers(1, 200), numbers, numbers, st.integers(0, 300))
def test_more_limit_or_less_use_never_turns_yes_into_no(capacity, size, limit, used, held):
    def enough(limit, used):
        (found,) = verdicts(
            "us-west-2", SPOT, capacity, {"g5.xlarge": size}, {G_SPOT: Decimal(limit)}, {("G and VT", SPOT): used}, held
        )
        assert found.enough == (max(0, capacity - held) * size <= max(0, limit - used))
        return found.enough

    if enough(limit, used):
        assert enough(limit + 1, used)
        assert enough(limit, max(0, used - 1))


@given(st.text(), st.sampled_from([SPOT, ON_DEMAND]))
def test_any_word_is_of_a_family_or_of_none(word, market):
    code = quota_code(word, market)
    assert (code is None) == (family_of(word) not in CODES[market])
