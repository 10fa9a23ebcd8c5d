# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Instances: devices, encryption, metadata, tags, capacity, the way out. Sources: botocore model, aws-facts 3.5 and 3.6."""

from __future__ import annotations

import functools

import pytest
from fleet_kit import Fleet
from fleet_kit import eventually
from fleet_kit import refused
from sandbox_process import Sandbox


@pytest.fixture
def fleet(sandbox: Sandbox) -> Fleet:
    return Fleet(sandbox)


def run(fleet: Fleet, count: int = 1, **options) -> list[dict]:
    options = {"ImageId": fleet.image["ImageId"], "InstanceType": "g5.xlarge", "SubnetId": fleet.subnets[0], **options}
    made = fleet.ec2.run_instances(MinCount=count, MaxCount=count, **options)["Instances"]
    return [fleet.instance(each["InstanceId"]) for each in made]


def from_template(fleet: Fleet, **data) -> dict:
    template = fleet.template(**data)
    subnet = {} if "NetworkInterfaces" in data else {"SubnetId": fleet.subnets[0]}
    made = fleet.ec2.run_instances(
        MinCount=1, MaxCount=1, LaunchTemplate={"LaunchTemplateId": template, "Version": "1"}, **subnet
    )
    return fleet.instance(made["Instances"][0]["InstanceId"])


def test_mapped_devices_replace_the_images_own_by_name(fleet: Fleet) -> None:
    key = fleet.kms.create_key()["KeyMetadata"]["Arn"]
    ebs = {"VolumeSize": 200, "VolumeType": "gp3", "Iops": 4000, "Throughput": 250, "Encrypted": True, "KmsKeyId": key}
    made = from_template(fleet, BlockDeviceMappings=[{"DeviceName": "/dev/xvda", "Ebs": ebs}])
    volumes = fleet.volumes(made["InstanceId"])
    assert list(volumes) == ["/dev/xvda"]
    root = volumes["/dev/xvda"]
    assert (root["Size"], root["VolumeType"], root["Iops"], root["Throughput"]) == (200, "gp3", 4000, 250)
    assert (root["Encrypted"], root["KmsKeyId"]) == (True, key)
    assert root["SnapshotId"] == fleet.image["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]


def test_devices_that_the_template_does_not_map_are_as_the_image_has_them(fleet: Fleet) -> None:
    """reference-defects 4.A.1: naming /dev/xvda on an image whose root is /dev/sda1 leaves the root unencrypted."""
    image = fleet.two_devices
    ebs = {"VolumeSize": 50, "VolumeType": "gp3", "Encrypted": True}
    made = from_template(fleet, ImageId=image["ImageId"], BlockDeviceMappings=[{"DeviceName": "/dev/xvda", "Ebs": ebs}])
    volumes = fleet.volumes(made["InstanceId"])
    own = {each["DeviceName"] for each in image["BlockDeviceMappings"]}
    assert set(volumes) == {*own, "/dev/xvda"}
    assert {name: volume["Encrypted"] for name, volume in volumes.items()} == {
        **dict.fromkeys(own, False),
        "/dev/xvda": True,
    }


def test_a_device_can_be_left_out(fleet: Fleet) -> None:
    image = fleet.two_devices
    root, data = (each["DeviceName"] for each in image["BlockDeviceMappings"])
    made = from_template(fleet, ImageId=image["ImageId"], BlockDeviceMappings=[{"DeviceName": data, "NoDevice": ""}])
    assert list(fleet.volumes(made["InstanceId"])) == [root]


def test_encryption_by_default_and_the_default_key(fleet: Fleet) -> None:
    assert fleet.ec2.get_ebs_default_kms_key_id()["KmsKeyId"] == "alias/aws/ebs"
    key = fleet.kms.create_key()["KeyMetadata"]
    with refused("InvalidParameterValue"):
        fleet.ec2.modify_ebs_default_kms_key_id(KmsKeyId="alias/none")
    assert fleet.ec2.modify_ebs_default_kms_key_id(KmsKeyId=key["KeyId"])["KmsKeyId"] == key["Arn"]
    assert fleet.ec2.get_ebs_default_kms_key_id()["KmsKeyId"] == key["Arn"]
    fleet.ec2.enable_ebs_encryption_by_default()
    volume = fleet.volumes(run(fleet)[0]["InstanceId"])["/dev/xvda"]
    assert (volume["Encrypted"], volume["KmsKeyId"]) == (True, key["Arn"])
    fleet.ec2.reset_ebs_default_kms_key_id()
    assert fleet.ec2.get_ebs_default_kms_key_id()["KmsKeyId"] == "alias/aws/ebs"


def test_an_instance_whose_key_cannot_be_used_dies(fleet: Fleet) -> None:
    """aws-facts 3.5: Client.InvalidKMSKey.InvalidState, Client.InternalError; the request itself succeeds."""
    key = fleet.kms.create_key()["KeyMetadata"]["Arn"]
    fleet.kms.disable_key(KeyId=key)
    for wanted, code in ((key, "Client.InvalidKMSKey.InvalidState"), (key[:-4] + "0000", "Client.InternalError")):
        ebs = {"VolumeSize": 50, "Encrypted": True, "KmsKeyId": wanted}
        made = run(fleet, BlockDeviceMappings=[{"DeviceName": "/dev/xvda", "Ebs": ebs}])[0]["InstanceId"]
        died = eventually(functools.partial(fleet.instance, made), lambda it: it["State"]["Name"] == "terminated")
        assert died["StateReason"]["Code"] == code


def test_a_template_gives_metadata_profile_monitoring_key_and_network(fleet: Fleet) -> None:
    fleet.profile()
    fleet.ec2.create_key_pair(KeyName="k")
    group = fleet.ec2.describe_security_groups()["SecurityGroups"][0]["GroupId"]
    made = from_template(
        fleet,
        MetadataOptions={"HttpTokens": "required", "HttpPutResponseHopLimit": 2, "InstanceMetadataTags": "enabled"},
        IamInstanceProfile={"Name": "node"},
        Monitoring={"Enabled": True},
        KeyName="k",
        EbsOptimized=True,
        NetworkInterfaces=[
            {"DeviceIndex": 0, "SubnetId": fleet.subnets[1], "Groups": [group], "AssociatePublicIpAddress": False}
        ],
    )
    options = made["MetadataOptions"]
    assert (options["HttpTokens"], options["HttpPutResponseHopLimit"]) == ("required", 2)
    assert options["InstanceMetadataTags"] == "enabled"
    profile = fleet.client("iam").get_instance_profile(InstanceProfileName="node")["InstanceProfile"]
    assert made["IamInstanceProfile"] == {"Arn": profile["Arn"], "Id": profile["InstanceProfileId"]}
    found = fleet.ec2.describe_iam_instance_profile_associations()["IamInstanceProfileAssociations"]
    assert [each["InstanceId"] for each in found] == [made["InstanceId"]]
    several = run(fleet, 2, IamInstanceProfile={"Name": "node"})
    assert [each["IamInstanceProfile"]["Arn"] for each in several] == [profile["Arn"]] * 2
    assert sorted(each["AmiLaunchIndex"] for each in several) == [0, 1]
    assert made["Monitoring"]["State"] == "enabled"
    assert (made["KeyName"], made["EbsOptimized"]) == ("k", True)
    assert made["SubnetId"] == fleet.subnets[1]
    assert "PublicIpAddress" not in made
    assert [each["GroupId"] for each in made["SecurityGroups"]] == [group]


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"ImageId": "ami-0123456789abcdef0"}, "InvalidAMIID.NotFound"),
        ({"InstanceType": "g99.xlarge"}, "InvalidParameterValue"),
        ({"KeyName": "none"}, "InvalidKeyPair.NotFound"),
        ({"SecurityGroupIds": ["sg-0123456789abcdef0"]}, "InvalidGroup.NotFound"),
        ({"SubnetId": "subnet-0123456789abcdef0"}, "InvalidSubnetID.NotFound"),
        ({"IamInstanceProfile": {"Name": "none"}}, "InvalidParameterValue"),
    ],
)
def test_what_does_not_exist_is_refused(fleet: Fleet, options: dict, code: str) -> None:
    with refused(code):
        run(fleet, **options)


def test_an_image_can_be_named_by_parameter(fleet: Fleet) -> None:
    fleet.sandbox.client("ssm", fleet.region).put_parameter(Name="/image", Value=fleet.image["ImageId"], Type="String")
    assert from_template(fleet, ImageId="resolve:ssm:/image")["ImageId"] == fleet.image["ImageId"]


def test_a_type_that_the_zone_does_not_sell_is_unsupported(fleet: Fleet) -> None:
    zone = next(
        each["SubnetId"] for each in fleet.ec2.describe_subnets()["Subnets"] if each["AvailabilityZone"] == "us-west-2d"
    )
    with refused("Unsupported", "not supported in your requested Availability Zone"):
        run(fleet, SubnetId=zone)


def test_capacity_is_used_up_and_given_back(fleet: Fleet) -> None:
    fleet.market(on_demand_capacity={"us-west-2a": {"g5.xlarge": 1}}, capacity={"us-west-2": {"g5.xlarge": 0}})
    first = run(fleet)[0]
    with refused("InsufficientInstanceCapacity", "do not have sufficient g5.xlarge capacity"):
        run(fleet)
    with refused("InsufficientInstanceCapacity", "no Spot capacity"):
        run(fleet, InstanceMarketOptions={"MarketType": "spot"})
    fleet.ec2.terminate_instances(InstanceIds=[first["InstanceId"]])
    assert run(fleet)


def test_quotas_count_virtual_processors_by_family_and_market(fleet: Fleet) -> None:
    """aws-facts 3.5; a g5.xlarge has 4."""
    fleet.market(quotas={"L-3819A6DF": 4, "L-DB2E81BA": 8})
    spot = {"InstanceMarketOptions": {"MarketType": "spot"}}
    run(fleet, **spot)
    with refused("MaxSpotInstanceCountExceeded", "Max spot instance count exceeded"):
        run(fleet, **spot)
    run(fleet, count=2)
    with refused("VcpuLimitExceeded", "current vCPU limit of 8"):
        run(fleet)
    run(fleet, InstanceType="m5.large")


def test_a_spot_instance_has_a_request_that_closes_with_it(fleet: Fleet) -> None:
    tags = [
        {"ResourceType": kind, "Tags": [{"Key": "of", "Value": kind}]}
        for kind in ("instance", "volume", "network-interface", "spot-instances-request")
    ]
    made = run(fleet, InstanceMarketOptions={"MarketType": "spot"}, TagSpecifications=tags)[0]
    assert made["InstanceLifecycle"] == "spot"
    run(fleet)
    spot = fleet.ec2.describe_instances(Filters=[{"Name": "instance-lifecycle", "Values": ["spot"]}])["Reservations"]
    assert [each["Instances"][0]["InstanceId"] for each in spot] == [made["InstanceId"]]
    request = fleet.ec2.describe_spot_instance_requests(SpotInstanceRequestIds=[made["SpotInstanceRequestId"]])
    shown = request["SpotInstanceRequests"][0]
    assert (shown["State"], shown["Status"]["Code"]) == ("active", "fulfilled")
    assert shown["Tags"] == [{"Key": "of", "Value": "spot-instances-request"}]
    assert fleet.volumes(made["InstanceId"])["/dev/xvda"]["Tags"] == [{"Key": "of", "Value": "volume"}]
    interfaces = fleet.ec2.describe_network_interfaces()["NetworkInterfaces"]
    assert [{"Key": "of", "Value": "network-interface"}] in [each["TagSet"] for each in interfaces]
    fleet.ec2.terminate_instances(InstanceIds=[made["InstanceId"]])
    closed = fleet.ec2.describe_spot_instance_requests(Filters=[{"Name": "state", "Values": ["closed"]}])
    assert [each["InstanceId"] for each in closed["SpotInstanceRequests"]] == [made["InstanceId"]]


def test_a_request_tag_on_an_on_demand_launch_is_refused(fleet: Fleet) -> None:
    """aws-facts 3.6, github-aws-runners#4561."""
    tags = [{"ResourceType": "spot-instances-request", "Tags": [{"Key": "a", "Value": "b"}]}]
    with refused("InvalidParameterValue", "not a valid taggable resource type"):
        run(fleet, TagSpecifications=tags)


def test_an_instance_shuts_down_and_takes_its_interface_and_volumes_along(fleet: Fleet) -> None:
    made = run(fleet)[0]["InstanceId"]
    heard = fleet.listen({"source": ["aws.ec2"]})
    fleet.ec2.terminate_instances(InstanceIds=[made])
    assert fleet.instance(made)["State"]["Name"] == "shutting-down"
    assert fleet.ec2.describe_network_interfaces()["NetworkInterfaces"]
    gone = eventually(lambda: fleet.instance(made), lambda it: it["State"]["Name"] == "terminated")
    assert gone["StateReason"]["Code"] == "Client.UserInitiatedShutdown"
    assert fleet.ec2.describe_network_interfaces()["NetworkInterfaces"] == []
    assert fleet.ec2.describe_volumes()["Volumes"] == []
    states = eventually(heard, lambda events: len(events) == 2)
    assert [each["detail"]["state"] for each in states] == ["shutting-down", "terminated"]
    assert {each["detail-type"] for each in states} == {"EC2 Instance State-change Notification"}
    assert states[0]["resources"] == [f"arn:aws:ec2:{fleet.region}:123456789012:instance/{made}"]


def test_a_volume_outlives_its_instance_where_the_mapping_says_so(fleet: Fleet) -> None:
    ebs = {"VolumeSize": 20, "DeleteOnTermination": False}
    made = run(fleet, BlockDeviceMappings=[{"DeviceName": "/dev/sdf", "Ebs": ebs}])[0]["InstanceId"]
    fleet.ec2.terminate_instances(InstanceIds=[made])
    left = eventually(lambda: fleet.ec2.describe_volumes()["Volumes"], lambda found: len(found) == 1)
    assert (left[0]["Size"], left[0]["State"]) == (20, "available")


def test_what_is_not_said_of_metadata_options_stays(fleet: Fleet) -> None:
    """EC2 API reference, ModifyInstanceMetadataOptions."""
    options = {"HttpTokens": "required", "HttpPutResponseHopLimit": 3, "InstanceMetadataTags": "enabled"}
    made = from_template(fleet, MetadataOptions=options)["InstanceId"]
    fleet.ec2.modify_instance_metadata_options(InstanceId=made, HttpTokens="optional")
    shown = fleet.instance(made)["MetadataOptions"]
    assert {name: shown[name] for name in options} == {**options, "HttpTokens": "optional"}
