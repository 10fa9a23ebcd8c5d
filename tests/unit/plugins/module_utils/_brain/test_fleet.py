# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A fleet's plan: what was just applied needs nothing, and a partial wish touches what it names."""

from __future__ import annotations

import base64
import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from ansible_collections.ethereal.spot.plugins.module_utils._brain import fleet as fleets
from ansible_collections.ethereal.spot.plugins.module_utils._brain import fleet_capacity
from ansible_collections.ethereal.spot.plugins.module_utils._brain import fleet_extras
from ansible_collections.ethereal.spot.plugins.module_utils._brain import fleet_group
from ansible_collections.ethereal.spot.plugins.module_utils._brain import fleet_plan
from ansible_collections.ethereal.spot.plugins.module_utils._brain import fleet_template
from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import EtherealSpotError
from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import InputError

REGION = "eu-west-1"
NAME = "gpu-fleet"
KEY = "arn:aws:kms:eu-west-1:123456789012:key/01234567-89ab-cdef-0123-456789abcdef"
IMAGE = {
    "Architecture": "x86_64",
    "BlockDeviceMappings": [
        {"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 30, "VolumeType": "gp2", "SnapshotId": "snap-1"}},
        {"DeviceName": "/dev/sdb", "VirtualName": "ephemeral0"},
        {"DeviceName": "/dev/sdc", "Ebs": {"VolumeSize": 8, "VolumeType": "io2", "Iops": 9000, "Encrypted": True}},
        {"DeviceName": "/dev/sdd", "NoDevice": ""},
    ],
    "ImageId": "ami-0123456789abcdef0",
    "RootDeviceName": "/dev/xvda",
}
REQUIRED = {
    "ami_id": IMAGE["ImageId"],
    "kms_key_arn": KEY,
    "security_group_ids": ["sg-0123456789abcdef0"],
    "subnet_ids": ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"],
}
NOTHING: dict[str, Any] = {"deleting": False, "group": None, "in_force": None, "template": None, "versions": {}}


def settle(wish: dict[str, Any], current: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """What the AWS layer makes of a wish, with an account in which all is right."""
    checked = fleets.given_fleet(wish, REGION, check_mode=False)
    standing = fleet_plan.current_fleet(current)
    fleet = fleets.whole_fleet(checked, standing, on_demand_only=wish.get("on_demand_only", False))
    if standing is not None and not fleets.touches_template(checked, standing):
        return fleet, None
    fleet = {**fleet, "image_id": checked.get("ami_id") or standing["image_id"]}
    return fleet, fleet_template.build_template(fleet, IMAGE)


def apply(
    current: dict[str, Any], fleet: dict[str, Any], data: Any, changes: list[fleet_plan.Change]
) -> dict[str, Any]:
    """The account after a plan, as AWS would describe it."""
    after = copy.deepcopy(current)
    kinds = {change.kind for change in changes}
    chosen = fleet_plan.choose_version(current, data)
    if kinds & {fleet_plan.CREATE_TEMPLATE, fleet_plan.CREATE_VERSION}:
        number = max(after["versions"], default=0) + 1
        after["versions"][number] = copy.deepcopy(data)
        # EC2 adds a state to the metadata options, and empty lists.
        after["versions"][number]["MetadataOptions"]["State"] = "applied"
        after["versions"][number]["NetworkInterfaces"][0]["Ipv6Addresses"] = []
        after["template"] = after["template"] or {"LaunchTemplateId": "lt-1", "Tags": []}
        if fleet_plan.CREATE_TEMPLATE in kinds:
            pairs = fleet_plan.wanted_template_tags(fleet).items()
            after["template"]["Tags"] = [{"Key": key, "Value": value} for key, value in pairs]
        chosen = {"id": "lt-1", "version": str(number)}
    if fleet_plan.CREATE_GROUP in kinds:
        request = fleet_group.create_request(NAME, fleet, chosen["id"], chosen["version"])
        after["group"] = {**request, "Instances": [], "EnabledMetrics": []}
    if fleet_plan.UPDATE_GROUP in kinds:
        fields = {change.what for change in changes if change.kind == fleet_plan.UPDATE_GROUP}
        after["group"].update(fleet_group.update_request(NAME, fleet, fields, chosen["id"], chosen["version"]))
    tags = {tag["Key"]: tag for tag in after["group"]["Tags"]}
    template_tags = fleet_plan.template_tags(after["template"])
    for change in changes:
        if change.kind == fleet_plan.TAG_GROUP:
            tags[change.what] = {"Key": change.what, "Value": change.after}
        if change.kind == fleet_plan.TAG_TEMPLATE:
            template_tags[change.what] = change.after
    after["group"]["Tags"] = list(tags.values())
    after["template"]["Tags"] = [{"Key": key, "Value": value} for key, value in template_tags.items()]
    if fleet_plan.ENABLE_METRICS in kinds:
        after["group"]["EnabledMetrics"] = [{"Metric": "GroupInServiceInstances"}]
    specification = fleet_template.in_force(after["group"])
    number = int(specification["version"])
    after["in_force"] = {
        "id": specification["id"],
        "version": specification["version"],
        "number": number,
        "data": after["versions"][number],
    }
    return after


def run(wish: dict[str, Any], current: dict[str, Any]) -> tuple[list[fleet_plan.Change], dict[str, Any]]:
    fleet, data = settle(wish, current)
    # Read as far as something was said of it, and kept for the next run.
    hung = current.get("hung", {})
    current = {**current, "extras": {kind: hung.get(kind, {}) for kind in fleet["extras"]}}
    changes = fleet_plan.plan(current, fleet, data)
    predicted = fleet_plan.view_after(current, fleet, data)
    after = apply(current, fleet, data, changes)
    after["extras"] = fleet_extras.merged(fleet["extras"], current["extras"])
    after["hung"] = {**hung, **after["extras"]}
    seen = fleet_plan.view(after)
    # Check mode foretells all but ids and version numbers.
    assert {**seen, "launch_template": None} == {**predicted, "launch_template": None}
    assert bool(changes) == (fleet_plan.view(current) != seen)
    return changes, after


sizes = st.integers(0, 20)
one_wish = {
    "bootstrap_script": st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=200),
    "capacity_owner": st.sampled_from(fleets.OWNERS),
    "capacity_rebalance": st.booleans(),
    "availability_zone_distribution": st.sampled_from(["balanced-best-effort", "balanced-only"]),
    "default_instance_warmup": st.integers(-1, 600),
    "deletion_protection": st.sampled_from(["none", "prevent-all-deletion"]),
    "disk_size": st.integers(30, 500),
    "ebs_iops": st.integers(3000, 15000),
    "ebs_throughput": st.integers(125, 750),
    "ecs_managed": st.booleans(),
    "enable_cpu_scaling": st.booleans(),
    "environment": st.sampled_from(["", "staging"]),
    "health_check_grace_period": st.integers(0, 7200),
    "iam_instance_profile": st.sampled_from(["node", "other", "arn:aws:iam::123456789012:instance-profile/path/node"]),
    "instance_types": st.lists(st.sampled_from(["g4dn.xlarge", "g5.xlarge", "g6.xlarge"]), min_size=1, unique=True),
    "instance_requirements": st.fixed_dictionaries(
        {"vcpu_count": st.just({"min": 4}), "memory_mib": st.just({"min": 1, "max": 9})},
        optional={"memory_gib_per_vcpu": st.just({"max": 4}), "accelerator_types": st.just(["gpu"])},
    ),
    "instance_weights": st.dictionaries(
        st.sampled_from(["g4dn.xlarge", "g5.xlarge", "g6.xlarge"]), st.integers(1, 999)
    ),
    "kms_key_arn": st.sampled_from([KEY, KEY.replace("0123-4567", "0123-4568")]),
    "max_instance_lifetime": st.sampled_from([0, 86_400, 604_800]),
    "metadata_hop_limit": st.integers(1, 64),
    "on_demand_base": sizes,
    "on_demand_percentage_above_base": st.integers(0, 100),
    "on_demand_strategy": st.sampled_from(fleet_capacity.ON_DEMAND_STRATEGIES),
    "placement_group": st.sampled_from(["", "spread"]),
    "security_group_ids": st.permutations(["sg-0123456789abcdef0", "sg-0123456789abcdef1"]),
    "spot_instance_pools": st.integers(1, 20),
    "spot_max_price": st.sampled_from(["", "0.5", "1.20", 2]),
    "spot_strategy": st.sampled_from(fleet_capacity.SPOT_STRATEGIES),
    "subnet_ids": st.permutations(["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"]),
    "termination_policies": st.permutations(["OldestInstance", "Default"]),
    "target_cpu_utilization": st.integers(1, 100),
    "tags": st.dictionaries(st.sampled_from(["a", "b", "ethereal-spot:place"]), st.sampled_from(["1", "2"])),
    "min_size": sizes,
    "max_size": sizes,
    "desired_capacity": sizes,
}
wishes = st.fixed_dictionaries({}, optional=one_wish)


@settings(max_examples=300, deadline=None)
@given(wishes, st.lists(wishes, max_size=3))
def test_what_was_applied_needs_nothing(first: dict[str, Any], later: list[dict[str, Any]]) -> None:
    current = NOTHING
    for wish in ({**REQUIRED, **first}, *later):
        try:
            _changes, current = run(wish, current)
        except InputError:
            continue
        if current["group"] is not None:
            again, _after = run(wish, current)
            assert again == []


TOUCHED = {
    "bootstrap_script": {"UserData", "launch_template"},
    "capacity_rebalance": {"capacity_rebalance"},
    "default_instance_warmup": {"default_instance_warmup"},
    "deletion_protection": {"deletion_protection"},
    "desired_capacity": {"desired_capacity"},
    "disk_size": {"BlockDeviceMappings", "launch_template"},
    "ebs_iops": {"BlockDeviceMappings", "launch_template"},
    "ebs_throughput": {"BlockDeviceMappings", "launch_template"},
    "health_check_grace_period": {"health_check_grace_period"},
    "iam_instance_profile": {"IamInstanceProfile", "launch_template"},
    "instance_requirements": {
        "instance_requirements",
        "instance_types",
        "instance_weights",
        "on_demand_strategy",
        "spot_strategy",
    },
    "instance_types": {"instance_types", "instance_requirements", "instance_weights"},
    "instance_weights": {"instance_weights"},
    "kms_key_arn": {"BlockDeviceMappings", "launch_template"},
    "max_instance_lifetime": {"max_instance_lifetime"},
    "max_size": {"max_size"},
    "metadata_hop_limit": {"MetadataOptions", "launch_template"},
    "min_size": {"min_size"},
    # Spot requests are tagged only while the split buys nothing on demand.
    "on_demand_base": {"TagSpecifications", "launch_template", "on_demand_base"},
    "on_demand_percentage_above_base": {
        "TagSpecifications",
        "launch_template",
        "on_demand_percentage_above_base",
        "spot_instance_pools",
        "spot_strategy",
    },
    "on_demand_strategy": {"on_demand_strategy"},
    "placement_group": {"placement_group"},
    "security_group_ids": {"NetworkInterfaces", "launch_template"},
    "spot_instance_pools": {"spot_instance_pools"},
    "spot_max_price": {"spot_max_price"},
    "spot_strategy": {"spot_instance_pools", "spot_strategy"},
    "subnet_ids": set(),
    "termination_policies": {"termination_policies"},
}


@settings(max_examples=200, deadline=None)
@given(wishes, st.sampled_from(sorted(TOUCHED)), st.data())
def test_a_partial_wish_touches_what_it_names(first: dict[str, Any], option: str, data: st.DataObject) -> None:
    first = {**first, "capacity_owner": "playbook"}
    try:
        _changes, current = run({**REQUIRED, **first}, NOTHING)
        changes, _after = run({option: data.draw(one_wish[option])}, current)
    except InputError:
        return
    assert {change.what for change in changes} <= TOUCHED[option]


def test_devices() -> None:
    fleet, data = settle({**REQUIRED, "disk_size": 30}, NOTHING)
    volume = {"DeleteOnTermination": True, "Encrypted": True, "KmsKeyId": KEY, "VolumeType": "gp3"}
    assert data["BlockDeviceMappings"] == [
        {"DeviceName": "/dev/xvda", "Ebs": {**volume, "Iops": 3000, "Throughput": 125, "VolumeSize": 30}},
        {"DeviceName": "/dev/sdb", "VirtualName": "ephemeral0"},
        {"DeviceName": "/dev/sdc", "Ebs": {**volume, "VolumeSize": 8}},
        {"DeviceName": "/dev/sdd", "NoDevice": ""},
    ]
    read = fleet_template.read_template(data)
    assert {key: read[key] for key in read if key in fleet and key not in ("root_device_name", "image_id")} == {
        key: fleet[key] for key in read if key in fleet and key not in ("root_device_name", "image_id")
    }


@pytest.mark.parametrize(
    ("image", "message"),
    [
        ({**IMAGE, "RootDeviceName": "/dev/sda1"}, "has no EBS volume as its root device"),
        ({**IMAGE, "RootDeviceName": "/dev/sdb"}, "has no EBS volume as its root device"),
    ],
)
def test_images_without_a_root_volume(image: dict[str, Any], message: str) -> None:
    fleet, _data = settle(REQUIRED, NOTHING)
    with pytest.raises(InputError, match=message):
        fleet_template.build_template(fleet, image)


def test_never_tags_spot_requests() -> None:
    _fleet, data = settle({**REQUIRED, "tags": {"a": "1"}}, NOTHING)
    assert [item["ResourceType"] for item in data["TagSpecifications"]] == ["instance", "network-interface", "volume"]


def test_same_template_whatever_the_order() -> None:
    _fleet, data = settle({**REQUIRED, "tags": {"a": "1", "b": "2"}}, NOTHING)
    other = copy.deepcopy(data)
    other["BlockDeviceMappings"].reverse()
    other["TagSpecifications"].reverse()
    for specification in other["TagSpecifications"]:
        specification["Tags"] = specification["Tags"][::-1]
    other["Operator"] = {"Managed": False}
    assert fleet_template.same_template(data, other)
    other["EbsOptimized"] = False
    assert not fleet_template.same_template(data, other)


def test_user_data_of_others_may_be_no_base64() -> None:
    assert fleet_template.user_data_summary("not base64!")["size"] == 11
    assert fleet_template.user_data_summary(base64.b64encode(b"x" * 9).decode())["size"] == 9


IMAGE_CHOICES = [
    # ami_id, remembered, current image, refresh -> image, parameter, to resolve
    ("ami-1", None, None, False, ("ami-1", None, None)),
    ("ami-2", "/p", "ami-1", False, ("ami-2", None, None)),
    ("resolve:ssm:/p", None, None, False, (None, "/p", "/p")),
    ("resolve:ssm:/p", "/p", "ami-1", False, ("ami-1", "/p", None)),
    ("resolve:ssm:/p", "/p", "ami-1", True, (None, "/p", "/p")),
    ("resolve:ssm:/q", "/p", "ami-1", False, (None, "/q", "/q")),
    (None, "/p", "ami-1", False, ("ami-1", "/p", None)),
    (None, "/p", "ami-1", True, (None, "/p", "/p")),
    (None, None, "ami-1", True, ("ami-1", None, None)),
    ("(known after apply)", "/p", "ami-1", True, ("(known after apply)", None, None)),
]


@pytest.mark.parametrize(("ami_id", "remembered", "current", "refresh", "expected"), IMAGE_CHOICES)
def test_image_choice(ami_id: Any, remembered: Any, current: Any, refresh: bool, expected: tuple[Any, ...]) -> None:
    choice = fleet_template.choose_image(ami_id, remembered, current, refresh=refresh)
    assert (choice["image_id"], choice["image_parameter"], choice["resolve"]) == expected


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("node", "node", True),
        ("node", "arn:aws:iam::123456789012:instance-profile/path/node", True),
        ("arn:aws:iam::1:instance-profile/a/node", "arn:aws:iam::1:instance-profile/b/node", False),
        ("node", "other", False),
        (None, "node", False),
        (None, None, True),
    ],
)
def test_same_profile(one: str | None, other: str | None, same: bool) -> None:
    assert fleets.same_profile(one, other) is same


def test_a_plain_group_needs_types() -> None:
    _changes, current = run(REQUIRED, NOTHING)
    current["group"]["LaunchTemplate"] = current["group"].pop("MixedInstancesPolicy")["LaunchTemplate"][
        "LaunchTemplateSpecification"
    ]
    with pytest.raises(InputError, match="instance_types"):
        run({"desired_capacity": 3}, current)
    changes, _after = run({"instance_types": ["g5.xlarge"], "on_demand_base": 2}, current)
    assert {change.what for change in changes} == {"instance_types", "on_demand_base"}


def test_launch_configurations_are_not_ours() -> None:
    with pytest.raises(EtherealSpotError, match="launch configuration"):
        fleet_template.need_template({"AutoScalingGroupName": NAME, "LaunchConfigurationName": "old"})


def test_a_template_that_lacks_all_is_completed() -> None:
    _changes, current = run(REQUIRED, NOTHING)
    current["in_force"]["data"] = current["versions"][1] = {"ImageId": IMAGE["ImageId"]}
    with pytest.raises(InputError, match="kms_key_arn"):
        run({"metadata_hop_limit": 2}, current)
    changes, after = run({"kms_key_arn": KEY, "security_group_ids": ["sg-0123456789abcdef0"]}, current)
    assert "BlockDeviceMappings" in {change.what for change in changes}
    assert after["in_force"]["data"]["MetadataOptions"]["HttpTokens"] == "required"


def test_deleting_everything_of_ours_and_nothing_else() -> None:
    assert fleet_plan.plan_absent(NOTHING) == []
    _changes, current = run(REQUIRED, NOTHING)
    assert [change.kind for change in fleet_plan.plan_absent(current)] == ["delete_group", "delete_launch_template"]
    # A group that launches from somebody else's template.
    assert [change.kind for change in fleet_plan.plan_absent({**current, "template": None})] == ["delete_group"]


def test_a_deletion_names_what_was_kept_back() -> None:
    _changes, current = run(REQUIRED, NOTHING)
    members = {
        "i-1": {"LifecycleState": "InService"},
        "i-2": {"LifecycleState": "InService", "ProtectedFromScaleIn": True},
        "i-3": {"LifecycleState": "Standby", "ProtectedFromScaleIn": True},
        "i-4": {"LifecycleState": "Pending:Wait"},
        "i-5": {"LifecycleState": "Terminating:Wait"},
        "i-6": {"LifecycleState": "Terminating:Proceed"},
    }
    current["group"]["Instances"] = [{"InstanceId": name, **member} for name, member in members.items()]
    assert fleet_plan.plan_absent(current)[0].before == {
        "instances": list(members),
        "protected": ["i-2", "i-3"],
        "standby": ["i-3"],
        "waiting": ["i-4", "i-5"],
    }


def test_on_demand_only_excludes_spot_options() -> None:
    for option, value in (("spot_strategy", "lowest-price"), ("on_demand_percentage_above_base", 0)):
        wish = {**REQUIRED, "on_demand_only": True, option: value}
        with pytest.raises(InputError, match=option):
            fleets.given_fleet(wish, REGION, check_mode=False)
        assert fleets.given_fleet({**wish, "on_demand_only": False}, REGION, check_mode=False)[option] == value


def test_the_same_profile_makes_no_version() -> None:
    _changes, current = run({**REQUIRED, "iam_instance_profile": "node"}, NOTHING)
    changes, _after = run({"iam_instance_profile": "arn:aws:iam::123456789012:instance-profile/path/node"}, current)
    assert changes == []


@pytest.mark.parametrize(
    ("owner", "wish", "expected"),
    [
        ("playbook", {"desired_capacity": 7}, 7),
        ("playbook", {"max_size": 20}, 10),
        ("scaling", {"desired_capacity": 7}, 10),
        ("scaling", {"max_size": 8}, 8),
        ("scaling", {"min_size": 12}, 12),
        ("placement", {"desired_capacity": 7}, 10),
    ],
)
def test_who_owns_the_size(owner: str, wish: dict[str, Any], expected: int) -> None:
    _changes, current = run({**REQUIRED, "capacity_owner": owner, "desired_capacity": 10}, NOTHING)
    changes, after = run(wish, current)
    assert after["group"]["DesiredCapacity"] == expected
    assert bool(changes) == (expected != 10 or "max_size" in wish)


@pytest.mark.parametrize(
    ("wish", "sizes"),
    [
        ({}, (2, 2, 10, 50)),
        ({"capacity_owner": "scaling"}, (2, 2, 10, 50)),
        ({"capacity_owner": "placement"}, (0, 0, 0, 50)),
        ({"on_demand_only": True}, (0, 0, 0, 50)),
    ],
)
def test_sizes_at_creation(wish: dict[str, Any], sizes: tuple[int, ...]) -> None:
    fleet, _data = settle({**REQUIRED, **wish}, NOTHING)
    assert tuple(fleet[key] for key in ("on_demand_base", "min_size", "desired_capacity", "max_size")) == sizes
