# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules for single options, found broken before any call to AWS. PRIVATE to the collection.

Every check takes the value and the option's name, returns the value in the one form that the rest of the collection
uses, and raises InputError otherwise. `None` is never accepted: an option that was not given is not checked.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import InputError
from ansible_collections.ethereal.spot.plugins.module_utils._brain.regions import REGION
from ansible_collections.ethereal.spot.plugins.module_utils._brain.regions import partition_of

# The same hexadecimal forms for every EC2 id: eight digits for the oldest, seventeen since 2016.
HEX_ID = "([0-9a-f]{8}|[0-9a-f]{17})"
IMAGE_ID = re.compile(f"ami-{HEX_ID}")
# An SSM parameter in place of an image id (botocore model: LaunchTemplate ImageId); its name's characters and an
# optional version or label are those of SSM.
IMAGE_PARAMETER = re.compile(r"resolve:ssm:/?[A-Za-z0-9_.:/-]{1,1011}")
INSTANCE_TYPE = re.compile(r"[a-z][a-z0-9-]*\.[a-z0-9-]+")
CONTAINER_IMAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/#-]{0,254}(@sha256:[A-Fa-f0-9]{64})?")
ENVIRONMENT_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
KMS_KEY_ARN = re.compile(
    rf"arn:(?P<partition>aws(-[a-z]+)*):kms:(?P<region>{REGION.pattern}):[0-9]{{12}}:"
    r"(key/([0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|mrk-[0-9a-f]{32})|alias/[A-Za-z0-9/_-]{1,250})"
)
ROLE_ARN = re.compile(r"arn:(?P<partition>aws(-[a-z]+)*):iam::[0-9]{12}:role/[A-Za-z0-9_+=,.@/-]{1,512}")

# An Auto Scaling group takes 40 overrides (botocore model: LaunchTemplate.Overrides).
LARGEST_TYPE_LIST = 40
# gp3 (botocore model: LaunchTemplateEbsBlockDeviceRequest); the first 3,000 IOPS come with every size.
GP3_SIZE = (1, 65_536)
GP3_IOPS = (3_000, 80_000)
GP3_THROUGHPUT = (125, 2_000)
GP3_IOPS_PER_GIB = 500
GP3_IOPS_PER_MIBPS = 4
# Of the user data as given, before base64 (EC2 user guide).
USER_DATA_LIMIT = 16_384
# botocore model: CloudWatch Logs PutRetentionPolicy.
RETENTION_DAYS = frozenset(
    {1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653}
)
TAG_LIMIT = 50
# ethereal-spot:deployment, :place, :version and :template, Name, and AmazonECSManaged on the groups.
OUR_TAGS = 6
OUR_TAG_PREFIX = "ethereal-spot:"
TAG_KEY_LIMIT = 128
TAG_VALUE_LIMIT = 256
# What IAM allows, the strictest of the services that carry the tags: letters, digits, separators and these.
TAG_PUNCTUATION = "_.:/=+-@ "
TAG_STRINGS = "must have strings as keys and values: put them in quotes"
TAG_CHARACTERS = f"may hold letters, digits, spaces and {TAG_PUNCTUATION.strip()} only"


def check_integer(value: Any, option: str, minimum: int = 0, maximum: int | None = None) -> int:
    """A whole number in its range. Digits in a string count, since C(-e) gives strings; booleans and floats do not."""
    limits = f"from {minimum} to {maximum}" if maximum is not None else f"of at least {minimum}"
    rule = f"must be a whole number {limits}"
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,18}", value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise InputError(option, value, rule)
    if value < minimum or (maximum is not None and value > maximum):
        raise InputError(option, value, rule)
    return value


def check_boolean(value: Any, option: str) -> bool:
    """A truth value, or one of the words that YAML and C(-e) use for it."""
    if isinstance(value, bool):
        return value
    words = {"true": True, "yes": True, "false": False, "no": False}
    if isinstance(value, str) and value.lower() in words:
        return words[value.lower()]
    raise InputError(option, value, "must be true or false")


def check_choice(value: Any, option: str, choices: Iterable[str]) -> str:
    """One of a few words."""
    choices = tuple(choices)
    if not isinstance(value, str) or value not in choices:
        raise InputError(option, value, f"must be one of {', '.join(choices)}")
    return value


def check_text(value: Any, option: str, limit: int = 1024) -> str:
    """A line of text: not empty, no control characters, no space at its ends."""
    if not isinstance(value, str) or not value or value != value.strip() or not value.isprintable():
        raise InputError(option, value, "must be a line of text without spaces at its ends")
    if len(value) > limit:
        raise InputError(option, value, f"has {len(value)} characters, limit {limit}")
    return value


def check_words(value: Any, option: str, pattern: re.Pattern[str], rule: str, *, empty: bool = False) -> list[str]:
    """A list of distinct words that all match a pattern, in the order given."""
    if not isinstance(value, list) or not (value or empty):
        raise InputError(option, value, "must be a list with at least one entry" if not empty else "must be a list")
    for index, word in enumerate(value):
        if not isinstance(word, str) or not pattern.fullmatch(word):
            raise InputError(f"{option}[{index}]", word, rule)
        if word in value[:index]:
            raise InputError(option, word, "is listed twice")
    return list(value)


def check_instance_types(value: Any, option: str = "instance_types") -> list[str]:
    """Distinct instance types, at least one, at most as many as a group's mixed-instances policy takes."""
    words = check_words(value, option, INSTANCE_TYPE, "is not an instance type such as g5.xlarge")
    if len(words) > LARGEST_TYPE_LIST:
        raise InputError(option, len(words), f"instance types are listed, limit {LARGEST_TYPE_LIST}")
    return words


def check_image_id(value: Any, option: str = "image_id") -> str:
    """An AMI's id, or an SSM parameter that holds one."""
    if not isinstance(value, str) or not (IMAGE_ID.fullmatch(value) or IMAGE_PARAMETER.fullmatch(value)):
        raise InputError(option, value, "must be ami- and 8 or 17 hexadecimal digits, or resolve:ssm:PARAMETER")
    return value


def check_vpc_id(value: Any, option: str = "vpc_id") -> str:
    """A VPC's id."""
    if not isinstance(value, str) or not re.fullmatch(f"vpc-{HEX_ID}", value):
        raise InputError(option, value, "must be vpc- and 8 or 17 hexadecimal digits")
    return value


def check_subnet_ids(value: Any, option: str = "subnet_ids") -> list[str]:
    """Distinct subnet ids, at least one."""
    return check_words(value, option, re.compile(f"subnet-{HEX_ID}"), "must be subnet- and 8 or 17 hexadecimal digits")


def check_security_group_ids(value: Any, option: str = "security_group_ids") -> list[str]:
    """Distinct security group ids, at least one."""
    return check_words(value, option, re.compile(f"sg-{HEX_ID}"), "must be sg- and 8 or 17 hexadecimal digits")


def check_vpc_cidr(value: Any, option: str = "vpc_cidr") -> str:
    """A private or public IPv4 network that a VPC can have (/16 to /28) and that leaves room for our subnets (/24)."""
    try:
        network = ipaddress.IPv4Network(value if isinstance(value, str) and "/" in value else "")
    except ValueError as error:
        detail = "has host bits set" if "host bits" in str(error) else "is not an IPv4 network such as 10.0.0.0/16"
        raise InputError(option, value, detail) from None
    if not 16 <= network.prefixlen <= 24:
        raise InputError(option, value, "must be /16 to /24")
    if network.is_loopback or network.is_multicast or network.is_link_local or network.is_unspecified:
        raise InputError(option, value, "is not a network that hosts can have")
    return str(network)


def check_kms_key_arn(
    value: Any, option: str = "kms_key_arn", region: str | None = None, what: str = "the volumes are"
) -> str:
    """A key's ARN or that of an alias, in the region where what it encrypts is, if that is given."""
    match = KMS_KEY_ARN.fullmatch(value) if isinstance(value, str) else None
    if not match:
        rule = (
            "must be the ARN of a key or an alias (arn:PARTITION:kms:REGION:ACCOUNT:key/ID, or alias/NAME at its end)"
        )
        raise InputError(option, value, rule)
    if region is not None:
        check_partition(match["partition"], value, option, region)
        if match["region"] != region:
            raise InputError(option, value, f"is in {match['region']}, {what} in {region}")
    return value


def check_role_arn(value: Any, option: str, region: str | None = None) -> str:
    """An IAM role's ARN, in the partition of the region, if that is given."""
    match = ROLE_ARN.fullmatch(value) if isinstance(value, str) else None
    if not match:
        raise InputError(option, value, "must be a role's ARN (arn:PARTITION:iam::ACCOUNT:role/NAME)")
    if region is not None:
        check_partition(match["partition"], value, option, region)
    return value


def check_regional_arn(value: Any, pattern: re.Pattern[str], option: str, what: str, region: str) -> str:
    """An ARN of that pattern, which has the groups partition and region, of something where the fleet is."""
    match = pattern.fullmatch(value) if isinstance(value, str) else None
    if not match:
        raise InputError(option, value, f"must be the ARN of a {what}")
    check_partition(match["partition"], value, option, region)
    if match["region"] != region:
        raise InputError(option, value, f"is in {match['region']}, the fleet is in {region}")
    return value


def check_partition(partition: str, value: str, option: str, region: str) -> None:
    """An ARN's partition is that of the region it is used in."""
    if partition != partition_of(region):
        raise InputError(option, value, f"is in partition {partition}, {region} is in {partition_of(region)}")


def check_tags(value: Any, option: str = "tags", ours: int = OUR_TAGS) -> dict[str, str]:
    """Tags as strings; whole numbers are taken as their digits. `ours` is how many the collection adds itself."""
    if not isinstance(value, dict):
        raise InputError(option, value, "must be a mapping of keys to values")
    tags: dict[str, str] = {}
    folded: dict[str, str] = {}
    for key, content in value.items():
        if not isinstance(key, str):
            raise InputError(option, {key: content}, TAG_STRINGS)
        check_tag_key(key, option)
        if key.casefold() in folded:
            raise InputError(option, key, f"differs from {folded[key.casefold()]!r} by case only")
        folded[key.casefold()] = key
        tags[key] = check_tag_value(key, content, option)
    if len(tags) + ours > TAG_LIMIT:
        raise InputError(option, len(tags), f"tags are given, limit {TAG_LIMIT - ours}: {ours} of {TAG_LIMIT} are ours")
    return tags


def check_tag_value(key: str, content: Any, option: str) -> str:
    """A tag's value as a string that AWS takes; a whole number is taken as its digits."""
    if isinstance(content, int) and not isinstance(content, bool):
        content = str(content)
    if not isinstance(content, str):
        raise InputError(option, {key: content}, TAG_STRINGS)
    if len(content) > TAG_VALUE_LIMIT:
        raise InputError(option, key, f"has a value of {len(content)} characters, limit {TAG_VALUE_LIMIT}")
    if not _taggable(content):
        raise InputError(option, {key: content}, TAG_CHARACTERS)
    return content


def check_tag_key(key: str, option: str) -> None:
    """A tag key that AWS takes and that neither AWS nor the collection keeps for itself."""
    if not 1 <= len(key) <= TAG_KEY_LIMIT:
        raise InputError(option, key, f"is a key of {len(key)} characters, must have 1 to {TAG_KEY_LIMIT}")
    if key.casefold().startswith("aws:"):
        raise InputError(option, key, "uses the reserved prefix aws:")
    if key.casefold().startswith(OUR_TAG_PREFIX):
        raise InputError(option, key, f"uses {OUR_TAG_PREFIX}, which the collection keeps for itself")
    if not _taggable(key):
        raise InputError(option, key, TAG_CHARACTERS)


def _taggable(word: str) -> bool:
    return all(character.isalnum() or character in TAG_PUNCTUATION for character in word)


def check_gp3(
    size: Any = None,
    iops: Any = None,
    throughput: Any = None,
    options: tuple[str, str, str] = ("disk_size", "ebs_iops", "ebs_throughput"),
) -> dict[str, int]:
    """A gp3 volume: size in GiB, IOPS, throughput in MiB/s, each `None` if not given; the ratios between them too.

    Returns those that were given, under the keys size, iops and throughput. The smallest legal value is in the message.
    """
    given = {"size": size, "iops": iops, "throughput": throughput}
    ranges = {"size": GP3_SIZE, "iops": GP3_IOPS, "throughput": GP3_THROUGHPUT}
    names = dict(zip(given, options, strict=True))
    volume = {key: check_integer(value, names[key], *ranges[key]) for key, value in given.items() if value is not None}
    effective_iops = volume.get("iops", GP3_IOPS[0])
    if "size" in volume and effective_iops > max(GP3_IOPS[0], volume["size"] * GP3_IOPS_PER_GIB):
        smallest = -(-effective_iops // GP3_IOPS_PER_GIB)
        raise InputError(
            names["iops"],
            effective_iops,
            f"is over {GP3_IOPS_PER_GIB} IOPS per GiB: needs {names['size']} of at least {smallest}, "
            f"it is {volume['size']}",
        )
    if "throughput" in volume and volume["throughput"] * GP3_IOPS_PER_MIBPS > effective_iops:
        raise InputError(
            names["throughput"],
            volume["throughput"],
            f"needs {names['iops']} of at least {volume['throughput'] * GP3_IOPS_PER_MIBPS} "
            f"(0.25 MiB/s per IOPS), it is {effective_iops}",
        )
    return volume


def check_container_image(value: Any, option: str = "container_image") -> str:
    """A container image's reference, by tag or digest (botocore model: ECS ContainerDefinition.image)."""
    if not isinstance(value, str) or not CONTAINER_IMAGE.fullmatch(value):
        raise InputError(option, value, "must be an image's reference: REPOSITORY:TAG or REPOSITORY@sha256:DIGEST")
    return value


def check_environment(value: Any, option: str = "container_environment") -> dict[str, str]:
    """A container's plain environment. Values are never shown: a user may have put a secret there by mistake."""
    if not isinstance(value, dict):
        raise InputError(option, type(value).__name__, "must be a mapping of names to strings")
    environment: dict[str, str] = {}
    for name, content in value.items():
        if not isinstance(name, str) or not ENVIRONMENT_NAME.fullmatch(name):
            raise InputError(option, name, "is not the name of an environment variable")
        if isinstance(content, int) and not isinstance(content, bool):
            content = str(content)
        if not isinstance(content, str):
            raise InputError(f"{option}.{name}", f"a {type(content).__name__}", "must be a string: put it in quotes")
        environment[name] = content
    return environment


def check_command(value: Any, option: str = "container_command") -> list[str]:
    """A container's command as a list of strings; empty means the image's own."""
    if not isinstance(value, list):
        raise InputError(option, value, "must be a list of strings, one a word")
    for index, word in enumerate(value):
        if not isinstance(word, str):
            raise InputError(f"{option}[{index}]", word, "must be a string: put it in quotes")
    return list(value)


def check_retention_days(value: Any, option: str = "log_retention_days") -> int:
    """A number of days that CloudWatch Logs can keep events for."""
    days = check_integer(value, option, 1)
    if days not in RETENTION_DAYS:
        raise InputError(option, value, f"must be one of {', '.join(map(str, sorted(RETENTION_DAYS)))}")
    return days


def check_user_data(value: Any, option: str = "user_data") -> str:
    """User data in plain text. It is never shown: errors give its size only."""
    if not isinstance(value, str):
        raise InputError(option, f"a {type(value).__name__}", "must be a string")
    try:
        size = len(value.encode())
    except UnicodeEncodeError:
        raise InputError(option, f"{len(value)} characters", "must be valid UTF-8") from None
    if size > USER_DATA_LIMIT:
        raise InputError(option, f"{size} bytes", f"is over the limit of {USER_DATA_LIMIT} bytes")
    if "\0" in value:
        raise InputError(option, f"{size} bytes", "holds a NUL byte")
    return value
