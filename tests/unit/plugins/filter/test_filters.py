# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.ethereal.spot.plugins.filter import deployment_tags
from ansible_collections.ethereal.spot.plugins.filter import endpoint_services
from ansible_collections.ethereal.spot.plugins.filter import place_range
from ansible_collections.ethereal.spot.plugins.filter import stack_needs
from ansible_collections.ethereal.spot.plugins.module_utils._brain.checks import OUR_TAG_PREFIX
from ansible_collections.ethereal.spot.plugins.module_utils._brain.version import VERSION


def test_tags_are_ours():
    tags = deployment_tags.FilterModule().filters()["deployment_tags"]("gpu", "oregon")
    assert tags == {
        "ethereal-spot:deployment": "gpu",
        "ethereal-spot:place": "oregon",
        "ethereal-spot:version": VERSION,
    }
    assert all(key.startswith(OUR_TAG_PREFIX) for key in tags)
    assert deployment_tags.FilterModule().filters()["deployment_tags"]("gpu", "oregon", {"cost": 7}) == {
        "cost": "7",
        **tags,
    }


@pytest.mark.parametrize(
    ("prefix", "place", "message"),
    [
        ("a/../b", "oregon", "prefix: 'a/../b' must match"),
        ("aws-gpu", "oregon", "prefix: 'aws-gpu' must not start with aws"),
        ("gpu*", "oregon", "prefix: 'gpu\\*' must match"),
        ('gpu"', "oregon", "prefix: 'gpu\"' must match"),
        ("gpü", "oregon", "prefix: 'gpü' must match"),
        ("gpu\n", "oregon", "must match"),
        (" gpu", "oregon", "must match"),
        ("gpu", "{{ x }}", "place: '{{ x }}' must match"),
        ("gpu", "o" * 25, "must match"),
        ("gpu", None, "place: None must match"),
    ],
)
def test_names_that_would_break_others_make_no_tags(prefix, place, message):
    with pytest.raises(AnsibleFilterError, match=message):
        deployment_tags.FilterModule().filters()["deployment_tags"](prefix, place)


@pytest.mark.parametrize(
    ("tags", "message"),
    [
        ({"aws:team": "ml"}, "tags: 'aws:team' uses the reserved prefix aws:"),
        ({"team": ["ml"]}, "tags: "),
        ({"Team": "a", "team": "b"}, "by case only"),
        (["team"], "must be a mapping"),
        ({"ethereal-spot:place": "elsewhere"}, "keeps for itself"),
    ],
)
def test_tags_that_aws_would_refuse_are_refused_before_the_first_call(tags, message):
    with pytest.raises(AnsibleFilterError, match=message):
        deployment_tags.FilterModule().filters()["deployment_tags"]("gpu", "oregon", tags)


def test_needs_are_decided_with_what_is_known_later():
    needs = stack_needs.FilterModule().filters()["stack_needs"]
    found = {"status": "CREATE_COMPLETE", "parameters": {"VpcId": "vpc-1"}, "tags": {}, "template_hash": None}
    assert needs(found, {"name": "a", "parameters": {}})["verdict"] == "current"
    later = needs(found, {"name": "a", "parameters": {"VpcId": "vpc-2"}, "immutable": ["VpcId"]})
    assert later["verdict"] == "outdated"
    assert later["refused"] == [{"parameter": "VpcId", "found": "vpc-1", "wanted": "vpc-2"}]


def test_a_place_has_its_range():
    of = place_range.FilterModule().filters()["place_range"]
    assert of("us-west-2", "us-west-2") == of("us-west-2", "us-west-2", None) == "10.28.0.0/20"
    assert of("us-west-2", "us-west-2", "10.9.0.0/16") == "10.9.0.0/16"
    with pytest.raises(AnsibleFilterError, match=r"vpc_cidr: '10[.]9[.]0[.]1/16' has host bits set"):
        of("us-west-2", "us-west-2", "10.9.0.1/16")


def test_services_of_groups_come_once():
    services = endpoint_services.FilterModule().filters()["endpoint_services"]
    assert services([]) == ["ecs", "ecs-agent", "ecs-telemetry", "ecr.api", "ecr.dkr", "logs"]
    assert services(["parameters", "session_manager"])[6:] == ["ssm", "ssmmessages"]
    with pytest.raises(AnsibleFilterError, match=r"'secret' is no group of endpoints .*; did you mean secrets[?]"):
        services(["secret"])
