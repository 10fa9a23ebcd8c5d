# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a role and its template must say the same."""

from __future__ import annotations

import json

import pytest
import yaml
from cfn_templates import ROOT
from cfn_templates import Loader

from ansible_collections.ethereal.spot.plugins.module_utils._brain import endpoints
from ansible_collections.ethereal.spot.plugins.module_utils._brain import models
from ansible_collections.ethereal.spot.plugins.module_utils._brain.version import VERSION


def role_file(role, path):
    return yaml.safe_load((ROOT / "roles" / role / path).read_text())


def test_version_is_that_of_the_collection():
    assert yaml.safe_load((ROOT / "galaxy.yml").read_text())["version"] == VERSION


def test_expected_outputs_are_the_templates(load):
    assert set(role_file("network", "vars/main.yml")["_network_outputs"]) == set(load("network").outputs)
    assert set(role_file("worker", "vars/main.yml")["_worker_region_outputs"]) == set(load("region").outputs)
    assert set(role_file("hub", "vars/main.yml")["_hub_outputs"]) == set(load("hub").outputs)
    assert set(role_file("node_image", "vars/main.yml")["_node_image_outputs"]) == set(load("image").outputs)
    (task,) = [
        task for task in role_file("worker", "tasks/present.yml") if task["name"].startswith("Apply the workload")
    ]
    assert set(task["vars"]["stack_expected_outputs"]) == set(load("workload").outputs)


def test_roles_give_every_parameter_and_no_other(load):
    network = role_file("network", "vars/main.yml")
    given = {
        *network["_network_parameters"],
        *network["_network_range_parameters"],
        *network["_network_zone_parameters"],
    }
    assert given == set(load("network").parameters)

    worker = role_file("worker", "vars/main.yml")
    (fact,) = role_file("worker", "tasks/stacks.yml")
    region, workload = fact["vars"]["_worker_standing"]
    (models,) = fact["vars"]["_worker_filling"]
    assert [set(image) for image in fact["vars"]["_worker_images"]] == [{"name"}] * 2
    assert set(region["parameters"]) | {"VpcId", *worker["_worker_subnet_parameters"]} == set(load("region").parameters)
    (task,) = [
        task for task in role_file("worker", "tasks/present.yml") if task["name"].startswith("Apply the workload")
    ]
    assert task["vars"]["stack_parameters_at_creation"] == {"InitialCount": "0"}
    assert task["vars"]["stack_parameters_at_update"] == {"InitialCount": ""}
    later = set(task["vars"]["_worker_references"]) | {"InitialCount"}
    assert set(workload["parameters"]) | later == set(load("workload").parameters)
    assert not set(workload["parameters"]) & later

    applied = next(
        task for task in role_file("worker", "tasks/models.yml") if task["name"].startswith("Apply the models")
    )
    assert set(models["parameters"]) | set(applied["vars"]["_worker_places"]) == set(load("models").parameters)
    assert applied["vars"]["stack_expected_outputs"] == list(load("models").outputs)

    image = role_file("node_image", "vars/main.yml")
    given = {*image["_node_image_content"], *image["_node_image_parent_names"], *image["_node_image_rest"]}
    assert given == set(load("image").parameters)

    (fact,) = role_file("hub", "tasks/stacks.yml")
    assert set(fact["ansible.builtin.set_fact"]["hub_stacks"][0]["parameters"]) == set(load("hub").parameters)


def _holds(conditions, name, switches):
    """Whether a condition of the template holds, with the group parameters that are on."""
    (function, given), *_rest = conditions[name].items()
    if function == "Fn::Equals":
        return given[0]["Ref"] in switches
    assert function == "Fn::Or"
    return any(_holds(conditions, each["Condition"], switches) for each in given)


@pytest.mark.parametrize("groups", [[], *([name] for name in endpoints.GROUPS), list(endpoints.GROUPS)])
def test_endpoints_are_those_of_their_groups(load, groups):
    """The template's, with what the role gives it for these groups; and the role's choices are the groups that there are."""
    network = load("network")
    given = role_file("network", "vars/main.yml")["_network_parameters"]
    switches = {name for name, value in given.items() if any(f"'{group}'" in value for group in groups)}
    made = {
        resource["Properties"]["ServiceName"]["Fn::Sub"].removeprefix("com.amazonaws.${AWS::Region}.")
        for resource in network.resources.values()
        if resource["Type"] == "AWS::EC2::VPCEndpoint"
        and ("Condition" not in resource or _holds(network.data["Conditions"], resource["Condition"], switches))
    }
    assert made == {"s3", "dynamodb", *endpoints.endpoint_services(groups)}
    option = role_file("network", "meta/argument_specs.yml")["argument_specs"]["main"]["options"]["network_endpoints"]
    assert option["choices"] == list(endpoints.GROUPS)


@pytest.mark.parametrize("role", ["network", "worker", "node_image", "hub", "stack", "private_cluster"])
def test_every_variable_is_specified_with_its_default(role):
    options = role_file(role, "meta/argument_specs.yml")["argument_specs"]["main"]["options"]
    defaults = role_file(role, "defaults/main.yml")
    assert all("type" in option and "description" in option for option in options.values())
    assert {name for name, option in options.items() if not option.get("required")} == set(defaults)
    assert {name: option.get("default") for name, option in options.items() if name in defaults} == defaults


def test_environment_and_secrets_fit_into_the_workload(load):
    """What worker/vars/main.yml does to the template, with words that would break out of anything but JSON."""
    words = ["a: b", 'it\'s "x"', "{x}, [y] # z", "!Ref Key", "line\nbreak", "${Prefix}", "% & * ` @", "é 😀"]
    environment = [{"Name": f"WORD_{index}", "Value": word} for index, word in enumerate(words)]
    secrets = [{"Name": "TOKEN", "ValueFrom": "arn:aws:ssm:us-west-2:123456789012:parameter/token"}]
    variables = role_file("worker", "vars/main.yml")["_worker_workload_body"]
    text = load("workload").text
    for word, content in (("Environment", environment), ("Secrets", secrets)):
        assert f"replace('{word}: []', '{word}: ' ~ _worker_{word.lower()} | to_json(ensure_ascii=False))" in variables
        assert text.count(f"{word}: []") == 1
        text = text.replace(f"{word}: []", f"{word}: {json.dumps(content, ensure_ascii=False)}")
    task = yaml.load(text, Loader)["Resources"]["Task"]["Properties"]
    container = task["ContainerDefinitions"][0]
    assert container["Environment"] == environment
    assert container["Secrets"] == secrets


def test_a_fill_may_read_its_models_only(load):
    """What worker/vars/main.yml does to the template."""
    variables = role_file("worker", "vars/main.yml")
    assert "replace('Statement: []', 'Statement: ' ~ _worker_models_statements" in variables["_worker_models_body"]
    text = load("models").text
    assert text.count("Statement: []") == 1
    statements = models.statements({"llama": "s3://models/llama/3"})
    rendered = yaml.load(text.replace("Statement: []", f"Statement: {json.dumps(statements)}"), Loader)
    _mount, sources = rendered["Resources"]["FillRole"]["Properties"]["Policies"]
    assert sources["PolicyDocument"]["Statement"] == statements
    task = rendered["Resources"]["Fill"]["Properties"]
    assert (task["TaskRoleArn"], task["RequiresCompatibilities"]) == ({"Fn::GetAtt": "FillRole.Arn"}, ["FARGATE"])
