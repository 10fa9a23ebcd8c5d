#!/usr/bin/python

# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: spot_asg
short_description: Manage a GPU fleet as launch template and Auto Scaling group
version_added: 0.1.0
description:
  - Manages an EC2 launch template and an Auto Scaling group of the same name with a mixed-instances policy.
  - Every volume of every block device of the image is a gp3 volume encrypted with the customer's key. Instances take
    session tokens for metadata only (IMDSv2), have no public address, are EBS-optimised and monitored in detail.
  - An option that is not given stays as it is on an existing fleet, so O(name) and one option change just that.
  - The group uses a launch template version by its number. A version is made only where its content differs from what
    stands. Running instances keep the version that they were launched with.
  - Instance types that are not offered in the subnets' zones are left out with a warning; the module fails if none is
    left.
  - Options are checked, against the account too, before anything is changed.
  - What is not an option here is left alone, suspended processes too. Lifecycle hooks, tags and policies of others stay.
  - Needs the IAM actions C(autoscaling:DescribeAutoScalingGroups), C(autoscaling:DescribeScalingActivities),
    C(ec2:DescribeLaunchTemplates), C(ec2:DescribeLaunchTemplateVersions), C(ec2:DescribeImages), C(ec2:DescribeSubnets),
    C(ec2:DescribeRouteTables), C(ec2:DescribeSecurityGroups), C(ec2:DescribeInstances), C(ec2:DescribeInstanceTypes),
    C(ec2:DescribeInstanceTypeOfferings), C(kms:DescribeKey), C(kms:GetKeyPolicy), C(kms:ListGrants) where the policy
    does not suffice, and C(ssm:GetParameter) to look;
    C(autoscaling:CreateAutoScalingGroup), C(autoscaling:UpdateAutoScalingGroup), C(autoscaling:DeleteAutoScalingGroup),
    C(autoscaling:CreateOrUpdateTags), C(autoscaling:EnableMetricsCollection), C(ec2:CreateLaunchTemplate),
    C(ec2:CreateLaunchTemplateVersion), C(ec2:DeleteLaunchTemplate), C(ec2:CreateTags) and C(ec2:DeleteTags) to change.
    Auto Scaling checks that the caller may launch from the template, too - C(ec2:RunInstances), C(ec2:CreateTags) and
    C(iam:PassRole) for the profile's role.
author:
  - Ethereal Spot contributors (@ethereal-spot)
options:
  name:
    description:
      - The name of group and launch template, 3 to 128 letters, digits and hyphens.
    type: str
    required: true
  state:
    description:
      - V(present) creates or updates the fleet.
      - V(absent) deletes the group with its instances, waits until they are terminated, and deletes the launch template.
        Neither scale-in protection, nor standby, nor a lifecycle hook holds an instance back. RV(changes) names those.
    type: str
    choices: [present, absent]
    default: present
  ami_id:
    description:
      - The image, as C(ami-...), or C(resolve:ssm:) and the name of an SSM parameter that holds one.
      - A parameter is read when it is first given. The image found then stays, remembered by a tag of the launch
        template, until O(refresh_image=true). So AWS's public parameters, which name another image with each release, change
        nothing by themselves.
      - Required to create a fleet.
    type: str
    aliases: [image_id]
  refresh_image:
    description:
      - Read the image's SSM parameter again and use the image that it holds now.
      - Has no effect on a fleet whose image was given by its id.
    type: bool
    default: false
  instance_types:
    description:
      - The instance types, at most 40, those preferred for on-demand instances first.
      - V([g4dn.xlarge, g5.xlarge, g6.xlarge]) if the fleet is created without.
    type: list
    elements: str
  instance_type:
    description:
      - The preferred instance type, in place of O(instance_types).
    type: str
  fallback_instance_type:
    description:
      - A second instance type beside O(instance_type).
    type: str
  instance_weights:
    description:
      - How much of the group's sizes one instance of a type counts, from 1 to 999, by instance type; for all types or
        none. Sizes and O(on_demand_base) are in these units then.
      - An empty dictionary takes the weights away.
      - Not with O(capacity_owner=placement), which counts instances.
    type: dict
  instance_requirements:
    description:
      - What instance types must have, in place of their names, with AWS's words in snake case.
      - C(vcpu_count) and C(memory_mib) are dictionaries with at least a C(min). As ranges of C(min) and C(max) there are
        C(accelerator_count), C(accelerator_total_memory_mib), C(baseline_ebs_bandwidth_mbps), C(memory_gib_per_vcpu),
        C(network_bandwidth_gbps), C(network_interface_count) and C(total_local_storage_gb) too.
      - Lists are C(accelerator_manufacturers), C(accelerator_names), C(accelerator_types), C(allowed_instance_types),
        C(cpu_manufacturers), C(excluded_instance_types), C(instance_generations) and C(local_storage_types).
      - C(bare_metal), C(burstable_performance) and C(local_storage) are V(included), V(excluded) or V(required).
      - Whole numbers are C(max_spot_price_as_percentage_of_optimal_on_demand_price),
        C(on_demand_max_price_percentage_over_lowest_price) and C(spot_max_price_percentage_over_lowest_price);
        C(require_hibernate_support) is true or false.
      - Excludes strategies that go by the order of types. The module fails if no type of the region meets them.
    type: dict
  security_group_ids:
    description:
      - The security groups of the instances, in the VPC of the subnets. Required to create a fleet.
    type: list
    elements: str
    aliases: [security_group_id]
  subnet_ids:
    description:
      - The subnets, all of one VPC. Required to create a fleet.
    type: list
    elements: str
    aliases: [vpc_zone_identifier]
  allow_public_subnets:
    description:
      - Accept subnets that route everything to an internet gateway. The instances have no public address even so.
    type: bool
    default: false
  kms_key_arn:
    description:
      - The ARN of the customer managed, symmetric KMS key, in the fleet's region, that encrypts the volumes, or of an alias
        that stands for it. Required to create a fleet.
      - The launch template always holds the key's own ARN. An alias that stands for another key since the last run is a
        change like any other.
      - The key's policy or a grant must let the service-linked role of EC2 Auto Scaling use it, else instances end at their
        launch. The module fails before any change if neither does, with the statements to add in RV(remedy). It warns if
        they may not be read, depend on what it does not know, or if the key belongs to another account and no grant is found.
    type: str
  disk_size:
    description:
      - The size of the root volume in GiB, at least that of the image. V(100) if the fleet is created without.
    type: int
  ebs_iops:
    description:
      - The IOPS of the root volume, from 3000 to 80000 and at most 500 per GiB. V(3000) if the fleet is created without.
    type: int
  ebs_throughput:
    description:
      - The throughput of the root volume in MiB/s, from 125 to 2000 and at most 0.25 per IOPS. V(125) if the fleet is
        created without.
    type: int
  efa:
    description:
      - Whether instances have Elastic Fabric Adapters, as many as each of O(instance_types) can have, one on each network
        card. All but the first have no address. No type may be without support.
      - One of the security groups must allow all traffic from itself and to itself, by name.
      - Adapters do not reach over zones, so that subnets in several earn a warning, as does a fleet without
        O(placement_group).
      - V(false) if the fleet is created without.
    type: bool
  root_device_name:
    description:
      - The name that the image's root device must have. The image's own is always used; this option only refuses
        an image with another.
    type: str
  bootstrap_script:
    description:
      - The user data, at most 16384 bytes. An empty string removes it.
      - Nodes in private subnets can download nothing. C(examples/bootstrap.sh) of this collection needs no download, for
        fleets without a container service.
      - It is never shown; results and differences give its size and SHA-256.
    type: str
    aliases: [user_data]
  iam_instance_profile:
    description:
      - The name or ARN of the instance profile.
    type: str
  metadata_hop_limit:
    description:
      - How many network hops an answer of the instance metadata service may take, from 1 to 64. Containers in bridge
        mode need V(2). V(1) if the fleet is created without.
    type: int
  on_demand_base:
    description:
      - How many instances are on-demand before any spot instance is launched. V(2) if the fleet is created without,
        V(0) with O(on_demand_only=true) or O(capacity_owner=placement).
    type: int
  on_demand_percentage_above_base:
    description:
      - The share of on-demand instances above the base. V(0) if the fleet is created without.
    type: int
  on_demand_only:
    description:
      - Buy no spot instance at all. This is for a fallback fleet beside a spot fleet.
      - V(true) excludes O(spot_strategy), O(spot_instance_pools), O(spot_max_price) and
        O(on_demand_percentage_above_base).
      - V(false) leaves the split as the other options have it.
    type: bool
    default: false
  on_demand_group:
    description:
      - Manage a second group beside this one, of the same name with C(-od) at its end, that buys on-demand instances only and
        stands empty until somebody scales it. It is for when spot has no capacity, which Auto Scaling itself has no answer for.
      - It takes all options but those of the spot group's split, sizes and scaling. O(max_size) is that of both.
      - V(false) leaves such a group alone, with O(state=absent) too.
    type: bool
    default: false
  on_demand_fallback_max:
    description:
      - How many instances of O(on_demand_group) may stand in for spot instances at most, in the unit of the group's sizes. The
        group belongs to this module then, O(capacity_owner=playbook), whoever owns the spot group.
      - A run that finds instances missing, and launches that failed last for want of spot capacity, brings the on-demand group
        to what is missing, up to this bound. It stays so while anything is missing, and is emptied by the first run that finds
        nothing missing. While launches are only under way nothing changes.
      - A quota, a price ceiling, a denial or a mistake is no want of capacity, and no reason to buy on demand.
      - Nothing watches between two runs. A run on a schedule or by an alarm is as often as the fallback is looked at.
      - V(0) empties the group. Without this option the group's size stays.
    type: int
  spot_strategy:
    description:
      - How spot pools are chosen. V(price-capacity-optimized) if the fleet is created without.
    type: str
    choices: [price-capacity-optimized, capacity-optimized, capacity-optimized-prioritized, lowest-price]
  spot_instance_pools:
    description:
      - Over how many of the cheapest pools V(lowest-price) spreads, from 1 to 20. V(2) if it is chosen without.
    type: int
  spot_max_price:
    description:
      - The highest price of a spot instance in US dollars an hour, at least 0.001. It applies to every type alike, and AWS
        advises against it. An empty string takes it away.
    type: str
  on_demand_strategy:
    description:
      - How on-demand instances are chosen. V(prioritized) if the fleet is created without, V(lowest-price) with
        O(instance_requirements).
    type: str
    choices: [prioritized, lowest-price]
  min_size:
    description:
      - The smallest size of the group. V(2) if the fleet is created without, V(0) with O(on_demand_only=true) or
        O(capacity_owner=placement).
    type: int
  max_size:
    description:
      - The largest size of the group. V(50) if the fleet is created without.
    type: int
  desired_capacity:
    description:
      - How many instances the group shall have. V(10) if the fleet is created without, V(0) with
        O(on_demand_only=true) or O(capacity_owner=placement).
      - Applies at creation only, unless O(capacity_owner=playbook).
    type: int
  capacity_owner:
    description:
      - Who sets the group's size from its creation on.
      - V(playbook) is this module. V(scaling) is a scaling policy or scheduled action. V(placement) is
        M(ethereal.spot.spot_placement) and the control plane; smallest size and on-demand base are 0 then.
      - If the fleet is created without, V(scaling) with anything that scales it, else V(playbook).
    type: str
    choices: [playbook, scaling, placement]
  capacity_rebalance:
    description:
      - Whether Auto Scaling replaces a spot instance that AWS says is at risk. V(true) if the fleet is created without.
    type: bool
  capacity_reservation:
    description:
      - Which On-Demand Capacity Reservations the group's on-demand instances use. Spot instances use none, so that the fleet
        must buy on-demand instances, or have O(on_demand_group), for a preference to have an effect.
      - It is set on the group, which can fall back to other capacity, and makes no version of the launch template. What is
        given replaces the whole.
      - Capacity Blocks for ML and interruptible reservations are refused. They need a market type that excludes spot.
    type: dict
    suboptions:
      preference:
        description:
          - V(default) uses open reservations that match. V(capacity-reservations-first) and V(capacity-reservations-only) use
            the targets, or else any that match, and then other capacity or none. V(none) uses no reservation.
        type: str
        required: true
        choices: [default, none, capacity-reservations-first, capacity-reservations-only]
      ids:
        description: The reservations, C(cr-...), for one of O(instance_types) in a zone of O(subnet_ids).
        type: list
        elements: str
      resource_group_arns:
        description: Resource groups of reservations, in the fleet's region. What is in them is not looked at.
        type: list
        elements: str
  availability_zone_distribution:
    description:
      - What comes first where a zone has no capacity - the size, or the balance of zones, or capacity that is reserved.
        V(balanced-best-effort) if the fleet is created without.
    type: str
    choices: [balanced-best-effort, balanced-only, reservations-then-balanced]
  placement_group:
    description:
      - The name of a placement group. One of a cluster needs subnets of a single zone. An empty string is none.
    type: str
  default_instance_warmup:
    description:
      - For how many seconds after its launch an instance does not count for scaling and refreshes, at most 21600. V(-1)
        leaves it to AWS.
    type: int
  target_group_arns:
    description:
      - All target groups of load balancers that the instances serve, of type C(instance), in the subnets' VPC. Others
        are detached; an empty list detaches all.
    type: list
    elements: str
  deletion_protection:
    description:
      - Whether the group can be deleted. This module deletes with force, so that both protections hinder it.
      - With O(state=absent), V(none) lifts the protection first.
      - V(none) if the fleet is created without.
    type: str
    choices: [none, prevent-force-deletion, prevent-all-deletion]
  enable_cpu_scaling:
    description:
      - Whether the group keeps its instances' average CPU at O(target_cpu_utilization), by a target tracking policy named
        C(cpu-target-tracking). Needs O(capacity_owner=scaling).
      - V(true) if the fleet is created with O(capacity_owner=scaling) and neither this nor O(scaling_policies), but not with
        O(on_demand_only=true). CPU says little of a GPU's load; O(scaling_policies) can watch what does.
    type: bool
  target_cpu_utilization:
    description:
      - The average CPU in percent. It implies O(enable_cpu_scaling=true). V(70) if the policy is made without.
    type: float
  scaling_policies:
    description:
      - Target tracking policies. Policies that are not named here stay. Need O(capacity_owner=scaling).
    type: list
    elements: dict
    suboptions:
      name:
        description: The name of the policy.
        type: str
        required: true
      state:
        description: V(absent) deletes the policy.
        type: str
        choices: [present, absent]
        default: present
      target_value:
        description: What the metric is kept at. Required for V(present).
        type: float
      metric:
        description:
          - A metric of AWS's own. Exactly one of this, O(scaling_policies[].custom_metric) and O(scaling_policies[].metrics) is
            required for V(present).
        type: str
        choices: [ASGAverageCPUUtilization, ASGAverageNetworkIn, ASGAverageNetworkOut, ALBRequestCountPerTarget]
      resource_label:
        description: The load balancer and target group, with V(ALBRequestCountPerTarget).
        type: str
      custom_metric:
        description:
          - Any metric in CloudWatch that falls as the group grows, such as the use of GPUs or a queue's length per instance.
        type: dict
        suboptions:
          name:
            description: The metric's name.
            type: str
            required: true
          namespace:
            description: The metric's namespace.
            type: str
            required: true
          statistic:
            description: The statistic.
            type: str
            choices: [Average, Minimum, Maximum, SampleCount, Sum]
            default: Average
          unit:
            description: The unit, if the metric is published with several.
            type: str
          dimensions:
            description: All dimensions that the metric is published with.
            type: dict
          period:
            description: How many seconds each of its values stands for, less than 60 for a metric of high resolution. V(60) without.
            type: int
            choices: [10, 30, 60]
      metrics:
        description:
          - Metrics and expressions over them, one of which is kept at the target, such as a queue's length for each instance.
            Each entry has either O(scaling_policies[].metrics[].expression), or a name and namespace.
        type: list
        elements: dict
        suboptions:
          id:
            description: What expressions call it by; a small letter, then letters, digits and C(_).
            type: str
            required: true
          expression:
            description: A formula of CloudWatch's metric math over other entries' ids.
            type: str
          name:
            description: The metric's name.
            type: str
          namespace:
            description: The metric's namespace.
            type: str
          statistic:
            description: Any statistic of CloudWatch, C(p90) too. C(Average) without.
            type: str
          unit:
            description: The unit, if the metric is published with several.
            type: str
          dimensions:
            description: All dimensions that the metric is published with.
            type: dict
          period:
            description: How many seconds each of its values stands for. V(60) without.
            type: int
            choices: [10, 30, 60]
          label:
            description: What it is, for people.
            type: str
          return_data:
            description: Whether this is what is kept at the target. It must be so for exactly one entry.
            type: bool
            default: false
      disable_scale_in:
        description: Only ever add instances.
        type: bool
        default: false
      estimated_warmup:
        description: For how many seconds a new instance does not count. AWS advises O(default_instance_warmup) instead.
        type: int
  scheduled_actions:
    description:
      - Sizes at given times. Actions that are not named here stay. Need O(capacity_owner=scaling).
    type: list
    elements: dict
    suboptions:
      name:
        description: The name of the action.
        type: str
        required: true
      state:
        description: V(absent) deletes the action.
        type: str
        choices: [present, absent]
        default: present
      recurrence:
        description: When it recurs, as the five fields of cron.
        type: str
      time_zone:
        description: The IANA time zone of O(scheduled_actions[].recurrence), by whose clock changes it goes. V(UTC) without.
        type: str
      start_time:
        description:
          - When it happens, or first happens, with its offset from UTC. What was to happen once and lies in the past is not made.
        type: str
      end_time:
        description: When it recurs no more.
        type: str
      min_size:
        description: The smallest size.
        type: int
      max_size:
        description: The largest size.
        type: int
      desired_capacity:
        description: How many instances the group shall have.
        type: int
  warm_pool:
    description:
      - Instances that were started ahead and wait beside the group. AWS takes a pool only for a group that buys no spot instance and has
        no weights, so this needs O(on_demand_only=true).
      - A pool that nothing is said of stays. It goes with its group.
    type: dict
    suboptions:
      state:
        description: V(absent) deletes the pool with its instances.
        type: str
        choices: [present, absent]
        default: present
      max_group_prepared_capacity:
        description:
          - How many instances group and pool have together at most.
          - Required for V(present), since AWS would fill up to O(max_size).
        type: int
      min_size:
        description: How many instances the pool has at least.
        type: int
        default: 0
      pool_state:
        description: The state in which instances wait. Stopped ones cost their volumes only.
        type: str
        choices: [stopped, running, hibernated]
        default: stopped
      reuse_on_scale_in:
        description: Whether instances return to the pool when the group shrinks.
        type: bool
        default: false
  lifecycle_hooks:
    description:
      - Hooks that hold instances back while something is done for them. Hooks that are not named here stay. What is not said
        of a hook's target and metadata stays, too.
      - C(ecs-managed-draining-termination-hook) is refused. ECS puts it on the groups of its capacity providers and drains by it.
      - A new group has them before its first instance.
    type: list
    elements: dict
    suboptions:
      name:
        description: The name of the hook.
        type: str
        required: true
      state:
        description: V(absent) deletes the hook.
        type: str
        choices: [present, absent]
        default: present
      transition:
        description: What instances are held back from. Required for V(present).
        type: str
        choices: [launching, terminating]
      heartbeat_timeout:
        description:
          - For how many seconds without a sign of life, from 30 to 7200. V(120) for V(terminating), V(3600) for V(launching) without.
          - An interrupted spot instance is gone after 120 seconds, so that more earns a warning in a fleet that buys spot.
        type: int
      default_result:
        description: What happens then. V(continue) for V(terminating), V(abandon) for V(launching) without.
        type: str
        choices: [continue, abandon]
      notification_target_arn:
        description:
          - An SQS queue or SNS topic in the fleet's region that is told of each instance. It must exist, as O(sns_topic_arn).
        type: str
      role_arn:
        description: The role that may send to O(lifecycle_hooks[].notification_target_arn), required with it.
        type: str
      notification_metadata:
        description: What is added to each message.
        type: str
  sns_topic_arn:
    description:
      - An SNS topic in the fleet's region that hears of O(notification_types). Other topics stay.
      - The module fails before any change if it does not exist, and warns if it may not be looked at.
    type: str
    aliases: [notification_topic]
  notification_types:
    description:
      - The events that O(sns_topic_arn) hears of, all four without. An empty list lets it hear of none.
    type: list
    elements: str
    choices:
      - autoscaling:EC2_INSTANCE_LAUNCH
      - autoscaling:EC2_INSTANCE_LAUNCH_ERROR
      - autoscaling:EC2_INSTANCE_TERMINATE
      - autoscaling:EC2_INSTANCE_TERMINATE_ERROR
  instance_refresh:
    description:
      - Replace running instances that were launched from another version of the launch template, or are of a type that is
        not listed any more. An empty dictionary does so with the defaults. Nothing is started while all are as they shall be.
      - A refresh in progress is followed, not started anew, with O(wait=true) to its end. The module fails if it does not
        succeed, and before any change if it leads to another configuration.
    type: dict
    suboptions:
      min_healthy_percentage:
        description: How much of the wanted size must serve meanwhile, in percent.
        type: int
        default: 50
      max_healthy_percentage:
        description: How far the size may be exceeded, from 100 to 200 percent and at most 100 above the smallest.
        type: int
      checkpoint_percentages:
        description: After how much of the instances it pauses, ascending. Without 100 at the end it stops at the last.
        type: list
        elements: int
      checkpoint_delay:
        description: How many seconds each pause takes, at most 172800. AWS takes 3600 without.
        type: int
      skip_matching:
        description: Keep instances that are as they shall be.
        type: bool
        default: true
      bake_time:
        description: How many seconds it waits at its end for something to go wrong, at most 172800.
        type: int
      auto_rollback:
        description:
          - Go back to the former configuration if it fails. The refresh then brings template and types to the group, which
            shows them once it has succeeded.
        type: bool
        default: false
      instance_warmup:
        description: For how many seconds a new instance is waited for. AWS advises O(default_instance_warmup) instead.
        type: int
      scale_in_protected_instances:
        description: What is done with instances that are protected. V(Wait) fails after an hour; it is AWS's choice without.
        type: str
        choices: [Refresh, Ignore, Wait]
      standby_instances:
        description: What is done with instances in standby. V(Wait) fails after an hour; it is AWS's choice without.
        type: str
        choices: [Terminate, Ignore, Wait]
  keep_versions:
    description:
      - How many versions of the launch template that nobody needs stay, the newest ones; older ones are deleted. Without, all
        stay. EC2 keeps 10000 at most.
      - Needed are the default version, the one that the group launches from, those that its instances run, and both of a
        refresh in progress. They stay, as do versions that somebody else made, and do not count.
    type: int
  ecs_managed:
    description:
      - Put ECS's own mark on the group, as a capacity provider needs it. V(false) leaves the mark as it is.
    type: bool
    default: false
  max_instance_lifetime:
    description:
      - After how many seconds an instance is replaced, from 86400 to 31536000. V(0) is never.
      - V(604800) if the fleet is created without, V(0) with O(on_demand_only=true) or O(capacity_owner=placement).
    type: int
  health_check_type:
    description:
      - Whether a load balancer's health checks count beside EC2's. V(ELB) needs O(target_group_arns).
      - V(EC2) if the fleet is created without.
    type: str
    choices: [EC2, ELB]
  health_check_grace_period:
    description:
      - For how many seconds after its launch an instance's failed health checks do not count, from 0 to 7200. V(300) if
        the fleet is created without.
    type: int
    aliases: [health_check_period]
  termination_policies:
    description:
      - By what instances are chosen to be terminated, asked in this order; AWS's names, or the ARN of a Lambda function.
      - V([OldestLaunchTemplate, AllocationStrategy]) if the fleet is created without.
    type: list
    elements: str
  environment:
    description:
      - The tag C(Environment). V(production) if the fleet is created without, no tag with O(on_demand_only=true) or
        O(capacity_owner=placement). An empty string sets none.
    type: str
  cost_center:
    description:
      - The tag C(CostCenter), as O(environment). V(HPC-Engineering) if the fleet is created without.
    type: str
  project:
    description:
      - The tag C(Project), as O(environment). V(Ethereal-Cloud-Systems) if the fleet is created without.
    type: str
  tags:
    description:
      - Tags of group, launch template, instances, volumes and network interfaces, and of spot requests in a fleet that buys no
        on-demand instance. Other tags stay.
      - 'Keys may hold letters, digits and C(+ - = . , _ : @) only, since instance metadata shows them.'
    type: dict
  prove:
    description:
      - Read back what the running instances really are, and return it as RV(evidence). O(wait) without.
      - Every volume must be encrypted with the key, metadata need a token, IPv6 metadata be off, and there must be no public
        address and no route from the subnet to an internet gateway, but for O(allow_public_subnets). Image, instance profile, hop
        limit and metadata tags must be those of the launch template version that the instance was launched from.
      - Costs one call each for instances, volumes and the VPC's route tables, and one for every older version in use.
    type: bool
  violations:
    description:
      - What happens if instances are not so. V(fail) fails the module, after its changes, since a fleet that is not as its user
        was promised must not pass for one; V(report) only returns it.
    type: str
    choices: [fail, report]
    default: fail
  wait:
    description:
      - Wait until the wanted number of instances is in service and healthy.
      - O(state=absent) always waits.
    type: bool
    default: false
  wait_timeout:
    description:
      - How many seconds to wait at most.
    type: int
    default: 600
  give_up_after:
    description:
      - With O(wait=true), fail after this many seconds if launches failed repeatedly and none succeeded.
    type: int
    default: 120
notes:
  - Some options need further IAM actions, to look - C(ec2:DescribeVolumes) for O(prove),
    C(ec2:DescribePlacementGroups) for O(placement_group),
    C(ec2:DescribeCapacityReservations) for O(capacity_reservation.ids),
    C(ec2:GetInstanceTypesFromInstanceRequirements) for O(instance_requirements),
    C(elasticloadbalancing:DescribeTargetGroups) for O(target_group_arns); and to change -
    C(autoscaling:AttachLoadBalancerTargetGroups) and C(autoscaling:DetachLoadBalancerTargetGroups) for the last.
  - Whatever scales needs C(autoscaling:DescribePolicies), C(autoscaling:PutScalingPolicy) and C(autoscaling:DeletePolicy),
    scheduled actions C(autoscaling:DescribeScheduledActions), C(autoscaling:PutScheduledUpdateGroupAction) and
    C(autoscaling:DeleteScheduledAction). Hooks need C(autoscaling:DescribeLifecycleHooks),
    C(autoscaling:PutLifecycleHook), C(autoscaling:DeleteLifecycleHook), and C(iam:PassRole) for a target's role. A warm
    pool needs C(autoscaling:DescribeWarmPool), C(autoscaling:PutWarmPool) and C(autoscaling:DeleteWarmPool).
    Notifications need C(autoscaling:DescribeNotificationConfigurations), C(autoscaling:PutNotificationConfiguration) and
    C(autoscaling:DeleteNotificationConfiguration). A topic that comes new to either is looked at with
    C(sns:GetTopicAttributes), a queue with C(sqs:GetQueueUrl). A refresh needs C(autoscaling:DescribeInstanceRefreshes) and
    C(autoscaling:StartInstanceRefresh), O(keep_versions) the former and C(ec2:DeleteLaunchTemplateVersions).
  - In check mode, V((known after apply\)) is accepted for O(ami_id), O(iam_instance_profile), O(kms_key_arn),
    O(security_group_ids), O(subnet_ids) and O(target_group_arns), for values that only an earlier step of a real run can give.
seealso:
  - module: ethereal.spot.spot_fleet_info
  - module: ethereal.spot.spot_placement
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - ethereal.spot.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
"""

EXAMPLES = r"""
- name: Keep two stopped instances ready beside a fleet of on-demand instances
  ethereal.spot.spot_asg:
    region: us-east-1
    name: gpu-reserve
    warm_pool:
      max_group_prepared_capacity: 2

- name: Create a fleet with two on-demand instances and the rest on spot
  ethereal.spot.spot_asg:
    region: us-east-1
    name: gpu-fleet
    ami_id: resolve:ssm:/aws/service/ecs/optimized-ami/amazon-linux-2023/gpu/recommended/image_id
    subnet_ids: [subnet-0123456789abcdef0, subnet-0123456789abcdef1]
    security_group_ids: [sg-0123456789abcdef0]
    kms_key_arn: arn:aws:kms:us-east-1:123456789012:key/01234567-89ab-cdef-0123-456789abcdef
    iam_instance_profile: gpu-fleet-node
    on_demand_base: 2
    desired_capacity: 10
    tags:
      team: ml

- name: Create a fleet of AWS's image for deep learning, which has drivers, CUDA and containers
  ethereal.spot.spot_asg:
    region: us-east-1
    name: training
    ami_id: resolve:ssm:/aws/service/deeplearning/ami/x86_64/base-oss-nvidia-driver-gpu-ubuntu-22.04/latest/ami-id
    subnet_ids: [subnet-0123456789abcdef0, subnet-0123456789abcdef1]
    security_group_ids: [sg-0123456789abcdef0]
    kms_key_arn: arn:aws:kms:us-east-1:123456789012:key/01234567-89ab-cdef-0123-456789abcdef
    iam_instance_profile: gpu-fleet-node
    bootstrap_script: "{{ lookup('ansible.builtin.file', 'bootstrap.sh') }}"

- name: Say whose costs they are, and replace instances every day
  ethereal.spot.spot_asg:
    region: us-east-1
    name: gpu-fleet
    environment: staging
    cost_center: Research-ML
    project: folding
    max_instance_lifetime: 86400

- name: Count sizes in GPUs
  ethereal.spot.spot_asg:
    region: us-east-1
    name: gpu-fleet
    instance_types: [g5.xlarge, g5.12xlarge]
    instance_weights: {g5.xlarge: 1, g5.12xlarge: 4}
    desired_capacity: 16

- name: Take whatever has enough of one vendor's accelerators
  ethereal.spot.spot_asg:
    region: us-east-1
    name: gpu-fleet
    instance_requirements:
      vcpu_count: {min: 4, max: 16}
      memory_mib: {min: 16384}
      accelerator_count: {min: 1}
      accelerator_manufacturers: [nvidia]

- name: Run the on-demand base in reserved capacity first
  ethereal.spot.spot_asg:
    region: us-east-1
    name: gpu-fleet
    on_demand_base: 4
    availability_zone_distribution: reservations-then-balanced
    capacity_reservation:
      preference: capacity-reservations-first
      resource_group_arns:
        - arn:aws:resource-groups:us-east-1:123456789012:group/gpu-reservations

- name: Train over several instances with fabric adapters, close together
  ethereal.spot.spot_asg:
    region: us-east-1
    name: gpu-fleet
    instance_types: [p4d.24xlarge, p4de.24xlarge]
    subnet_ids: [subnet-0123456789abcdef0]
    placement_group: training
    efa: true

- name: Serve behind a load balancer, and by its health checks
  ethereal.spot.spot_asg:
    region: us-east-1
    name: gpu-fleet
    target_group_arns:
      - arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/gpu/0123456789abcdef
    health_check_type: ELB

- name: Let GPU load move the size, and keep some instances in office hours
  ethereal.spot.spot_asg:
    region: us-east-1
    name: gpu-fleet
    capacity_owner: scaling
    enable_cpu_scaling: false
    scaling_policies:
      - name: gpu
        target_value: 75
        custom_metric:
          namespace: CWAgent
          name: nvidia_smi_utilization_gpu
          dimensions: {AutoScalingGroupName: gpu-fleet}
    scheduled_actions:
      - name: morning
        recurrence: 0 8 * * 1-5
        time_zone: Europe/Berlin
        min_size: 4
      - name: evening
        recurrence: 0 20 * * 1-5
        time_zone: Europe/Berlin
        min_size: 0

- name: Keep ten messages of a queue for each instance that serves
  ethereal.spot.spot_asg:
    region: us-east-1
    name: gpu-fleet
    scaling_policies:
      - name: backlog
        target_value: 10
        metrics:
          - id: waiting
            namespace: AWS/SQS
            name: ApproximateNumberOfMessagesVisible
            statistic: Sum
            dimensions: {QueueName: jobs}
          - id: serving
            namespace: AWS/AutoScaling
            name: GroupInServiceInstances
            dimensions: {AutoScalingGroupName: gpu-fleet}
          - id: backlog
            expression: waiting / MAX([serving, 1])
            return_data: true

- name: Drain within the two minutes of a spot instance, and tell people what comes and goes
  ethereal.spot.spot_asg:
    region: us-east-1
    name: gpu-fleet
    lifecycle_hooks:
      - name: drain
        transition: terminating
        heartbeat_timeout: 90
    sns_topic_arn: arn:aws:sns:us-east-1:123456789012:fleet-notifications

- name: Move running instances to a newer image, half of them at a time, and go back if that fails
  ethereal.spot.spot_asg:
    region: us-east-1
    name: gpu-fleet
    refresh_image: true
    instance_refresh:
      checkpoint_percentages: [20, 100]
      checkpoint_delay: 600
      auto_rollback: true
    keep_versions: 5
    wait: true
    wait_timeout: 7200

- name: Change one thing and repeat nothing
  ethereal.spot.spot_asg:
    region: us-east-1
    name: gpu-fleet
    desired_capacity: 25

- name: Use the image that AWS recommends now for new instances
  ethereal.spot.spot_asg:
    region: us-east-1
    name: gpu-fleet
    refresh_image: true

- name: Create an on-demand fleet to fall back on, empty until it is needed
  ethereal.spot.spot_asg:
    region: us-east-1
    name: gpu-fleet-od
    on_demand_only: true
    capacity_owner: placement
    ami_id: ami-0123456789abcdef0
    instance_type: g5.xlarge
    fallback_instance_type: g6.xlarge
    subnet_ids: [subnet-0123456789abcdef0]
    security_group_ids: [sg-0123456789abcdef0]
    kms_key_arn: arn:aws:kms:us-east-1:123456789012:key/01234567-89ab-cdef-0123-456789abcdef

- name: Remove a fleet
  ethereal.spot.spot_asg:
    region: us-east-1
    name: gpu-fleet
    state: absent
"""

RETURN = r"""
after:
  description:
    - The fleet after the run, or as it would be in check mode. Empty if there is none.
    - What only a real run can know is V((known after apply\)).
  returned: success
  type: dict
  sample: {desired_capacity: 10, launch_template: {id: lt-0123456789abcdef0, version: "2"}}
asg_arn:
  description: The ARN of the group.
  returned: O(state=present)
  type: str
  sample: "arn:aws:autoscaling:us-east-1:123456789012:autoScalingGroup:0123:autoScalingGroupName/gpu-fleet"
asg_name:
  description: The name of the group.
  returned: success
  type: str
  sample: gpu-fleet
before:
  description: The fleet before the run. Empty if there was none.
  returned: success
  type: dict
  sample: {desired_capacity: 5, launch_template: {id: lt-0123456789abcdef0, version: "1"}}
capacity_config:
  description: The sizes of the group.
  returned: O(state=present)
  type: dict
  contains:
    min:
      description: The smallest size.
      type: int
    max:
      description: The largest size.
      type: int
    desired:
      description: The size wanted.
      type: int
  sample: {min: 2, max: 50, desired: 10}
changes:
  description: What was changed, or would be in check mode.
  returned: success
  type: list
  elements: dict
  contains:
    kind:
      description: The step that changes it.
      type: str
    what:
      description: The field that changes.
      type: str
    before:
      description: Its value before.
      type: raw
    after:
      description: Its value after.
      type: raw
  sample: [{kind: update_group, what: desired_capacity, before: 5, after: 10}]
fleet_id:
  description: The name of the fleet.
  returned: O(state=present)
  type: str
  sample: gpu-fleet
cpu_scaling_policy_arn:
  description: The ARN of the policy that keeps average CPU. Empty if there is none, or nothing was said of scaling.
  returned: O(state=present)
  type: str
  sample: arn:aws:autoscaling:us-east-1:123456789012:scalingPolicy:0123:autoScalingGroupName/gpu-fleet:policyName/cpu-target-tracking
evidence:
  description: What the instances are, and whether they are as they must be. Empty without O(prove), and in check mode.
  returned: O(state=present), or when instances are not as they must be
  type: dict
  contains:
    compliant:
      description: Whether every instance was seen and is as it must be.
      type: bool
    findings:
      description: What is not as it must be.
      type: list
      elements: dict
      contains:
        instance:
          description: The instance's id.
          type: str
        rule:
          description: The rule that is broken.
          type: str
        found:
          description: What it is. A volume stands under its id.
          type: raw
        wanted:
          description: What it must be.
          type: raw
    instances:
      description:
        - By id, the instance's C(group), C(image_id), C(instance_profile), C(launch_template) with C(id) and C(version),
          C(metadata_options), C(ebs_optimized), C(monitoring), C(public_addresses), C(subnet_id), and its C(volumes) with C(id),
          C(device), C(encrypted), C(kms_key_id), C(type), C(size), C(iops) and C(throughput).
      type: dict
    subnets:
      description: By id, whether the subnet is C(private), its C(route_table_id) and C(association), and C(internet_routes).
      type: dict
    unproved:
      description: Instances of which EC2 did not show everything.
      type: list
      elements: str
  sample:
    compliant: true
    findings: []
    instances:
      i-0123456789abcdef0:
        group: gpu-fleet
        metadata_options: {http_tokens: required, hop_limit: 1}
        public_addresses: []
        volumes:
          - id: vol-0123456789abcdef0
            encrypted: true
            kms_key_id: arn:aws:kms:us-east-1:123456789012:key/01234567-89ab-cdef-0123-456789abcdef
            type: gp3
            iops: 3000
            throughput: 125
    subnets:
      subnet-0123456789abcdef0: {private: true, route_table_id: rtb-0123456789abcdef0, association: explicit, internet_routes: {}}
    unproved: []
failures:
  description: The launches that fail, as in RV(reasons).
  returned: when waiting for instances failed
  type: list
  elements: dict
group:
  description: The group and what it launches from.
  returned: O(state=present)
  type: dict
  contains:
    name:
      description: The name of the group.
      type: str
    arn:
      description: The ARN of the group.
      type: str
    instances:
      description: The ids of its instances.
      type: list
      elements: str
    launch_template:
      description: The launch template and the version that the group uses.
      type: dict
  sample:
    name: gpu-fleet
    instances: [i-0123456789abcdef0]
    launch_template: {id: lt-0123456789abcdef0, name: gpu-fleet, version: "2"}
instances:
  description: The instances that the group had.
  returned: when waiting for instances failed
  type: list
  elements: dict
on_demand_group:
  description:
    - The same of the on-demand group - RV(asg_name), RV(asg_arn), RV(before), RV(after), RV(changes), RV(reasons) and so on.
    - RV(changes) of the fleet itself do not have those of this group; C(changed) is true for either's.
  returned: with O(on_demand_group=true)
  type: dict
  sample: {asg_name: gpu-fleet-od, changes: []}
launch_template_arn:
  description: The ARN of the launch template.
  returned: O(state=present)
  type: str
  sample: arn:aws:ec2:us-east-1:123456789012:launch-template/lt-0123456789abcdef0
launch_template_id:
  description: The id of the launch template.
  returned: O(state=present)
  type: str
  sample: lt-0123456789abcdef0
launch_template_latest_version:
  description: The latest version of the launch template.
  returned: O(state=present)
  type: raw
  sample: 2
reasons:
  description: Why instances are missing. Failed launches that the group recovered from are left out.
  returned: O(state=present)
  type: list
  elements: dict
  contains:
    code:
      description: AWS's error code.
      type: str
    scope:
      description: How far it reaches.
      type: str
      choices: [pool, zone, region, region-family, account, permanent, throttle, unknown]
    message:
      description: What AWS said.
      type: str
    lasting:
      description: Whether trying the same again cannot help.
      type: bool
    market:
      description: V(spot) or V(on-demand), if AWS said so.
      type: str
    zone:
      description: The Availability Zone, if AWS said so.
      type: str
    instance_type:
      description: The instance type, if AWS said so.
      type: str
    first:
      description: When it was first seen.
      type: str
    time:
      description: When it was last seen.
      type: str
    count:
      description: How often it was seen.
      type: int
  sample:
    - code: InsufficientInstanceCapacity
      scope: pool
      message: There is no Spot capacity available that matches your request.
      lasting: false
      market: spot
      zone: us-east-1a
      instance_type:
      first: "2026-01-01T10:00:00+00:00"
      time: "2026-01-01T10:02:00+00:00"
      count: 3
refresh:
  description:
    - The instance refresh that was started, found in progress, or followed to its end, or which failed. Empty if there is
      none, if O(instance_refresh) was not given, and in check mode.
  returned: O(state=present), or when a refresh failed
  type: dict
  contains:
    id:
      description: Its id.
      type: str
    status:
      description: Its status, in AWS's words.
      type: str
    reason:
      description: What AWS says of its status.
      type: str
    percentage_complete:
      description: How far it is.
      type: int
    instances_to_update:
      description: How many instances are still to be replaced.
      type: int
  sample:
    id: 01234567-89ab-cdef-0123-456789abcdef
    status: InProgress
    reason:
    percentage_complete: 40
    instances_to_update: 6
remedy:
  description: The statements that the key's policy lacks.
  returned: when EC2 Auto Scaling may not use the key
  type: list
  elements: dict
security_group_id:
  description: The first security group of the instances.
  returned: O(state=present)
  type: str
  sample: sg-0123456789abcdef0
security_group_ids:
  description: The security groups of the instances.
  returned: O(state=present)
  type: list
  elements: str
  sample: [sg-0123456789abcdef0]
subnet_ids:
  description: The subnets of the group.
  returned: O(state=present)
  type: list
  elements: str
  sample: [subnet-0123456789abcdef0, subnet-0123456789abcdef1]
violations:
  description: What is not as it must be, as in RV(evidence).
  returned: when instances are not as they must be
  type: list
  elements: dict
"""

from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.ethereal.spot.plugins.module_utils._aws.waiters import Pace
from ansible_collections.ethereal.spot.plugins.module_utils._brain import fleet_refresh
from ansible_collections.ethereal.spot.plugins.module_utils._brain import fleet_twin
from ansible_collections.ethereal.spot.plugins.module_utils._brain import fleet_warm_pool
from ansible_collections.ethereal.spot.plugins.module_utils._brain.checks import check_integer
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet import OWNERS
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet import check_fleet_name
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet_capacity import ON_DEMAND_STRATEGIES
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet_capacity import SPOT_STRATEGIES
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet_evidence import VIOLATIONS
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet_evidence import VIOLATIONS_FAIL
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet_hooks import NOTIFICATION_TYPES
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet_hooks import RESULTS
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet_hooks import TRANSITIONS
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet_metrics import PERIODS
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet_metrics import STATISTICS
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet_reservations import PREFERENCES
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet_scaling import PREDEFINED_METRICS
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet_settings import DELETION_PROTECTIONS
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet_settings import HEALTH_CHECK_TYPES
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet_settings import ZONE_DISTRIBUTIONS
from ansible_collections.ethereal.spot.plugins.module_utils._brain.regions import check_region
from ansible_collections.ethereal.spot.plugins.module_utils._edge.fleet_run import FleetRun
from ansible_collections.ethereal.spot.plugins.module_utils._edge.module import Clients
from ansible_collections.ethereal.spot.plugins.module_utils._edge.module import masking_module
from ansible_collections.ethereal.spot.plugins.module_utils._edge.module import run_module

PACE = Pace()

PRESENCE = {"type": "str", "choices": ["present", "absent"], "default": "present"}
CUSTOM_METRIC = {
    "name": {"type": "str", "required": True},
    "namespace": {"type": "str", "required": True},
    "statistic": {"type": "str", "choices": list(STATISTICS), "default": "Average"},
    "unit": {"type": "str"},
    "dimensions": {"type": "dict"},
    "period": {"type": "int", "choices": list(PERIODS)},
}
METRIC_QUERY = {
    "id": {"type": "str", "required": True},
    "expression": {"type": "str"},
    "name": {"type": "str"},
    "namespace": {"type": "str"},
    "statistic": {"type": "str"},
    "unit": {"type": "str"},
    "dimensions": {"type": "dict"},
    "period": {"type": "int", "choices": list(PERIODS)},
    "label": {"type": "str"},
    "return_data": {"type": "bool", "default": False},
}
SCALING_POLICY = {
    "name": {"type": "str", "required": True},
    "state": PRESENCE,
    "target_value": {"type": "float"},
    "metric": {"type": "str", "choices": list(PREDEFINED_METRICS)},
    "resource_label": {"type": "str"},
    "custom_metric": {"type": "dict", "options": CUSTOM_METRIC},
    "metrics": {"type": "list", "elements": "dict", "options": METRIC_QUERY},
    "disable_scale_in": {"type": "bool", "default": False},
    "estimated_warmup": {"type": "int"},
}
LIFECYCLE_HOOK = {
    "name": {"type": "str", "required": True},
    "state": PRESENCE,
    "transition": {"type": "str", "choices": list(TRANSITIONS)},
    "heartbeat_timeout": {"type": "int"},
    "default_result": {"type": "str", "choices": list(RESULTS)},
    "notification_target_arn": {"type": "str"},
    "role_arn": {"type": "str"},
    "notification_metadata": {"type": "str"},
}
CAPACITY_RESERVATION = {
    "preference": {"type": "str", "required": True, "choices": list(PREFERENCES)},
    "ids": {"type": "list", "elements": "str"},
    "resource_group_arns": {"type": "list", "elements": "str"},
}
INSTANCE_REFRESH = {
    "min_healthy_percentage": {"type": "int", "default": 50},
    "max_healthy_percentage": {"type": "int"},
    "checkpoint_percentages": {"type": "list", "elements": "int"},
    "checkpoint_delay": {"type": "int"},
    "skip_matching": {"type": "bool", "default": True},
    "bake_time": {"type": "int"},
    "auto_rollback": {"type": "bool", "default": False},
    "instance_warmup": {"type": "int"},
    "scale_in_protected_instances": {"type": "str", "choices": list(fleet_refresh.PROTECTED_CHOICES)},
    "standby_instances": {"type": "str", "choices": list(fleet_refresh.STANDBY_CHOICES)},
}
WARM_POOL = {
    "state": PRESENCE,
    "max_group_prepared_capacity": {"type": "int"},
    "min_size": {"type": "int", "default": 0},
    "pool_state": {"type": "str", "choices": list(fleet_warm_pool.STATES), "default": "stopped"},
    "reuse_on_scale_in": {"type": "bool", "default": False},
}
SCHEDULED_ACTION = {
    "name": {"type": "str", "required": True},
    "state": PRESENCE,
    "recurrence": {"type": "str"},
    "time_zone": {"type": "str"},
    "start_time": {"type": "str"},
    "end_time": {"type": "str"},
    "min_size": {"type": "int"},
    "max_size": {"type": "int"},
    "desired_capacity": {"type": "int"},
}

ARGUMENTS = {
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "ami_id": {"type": "str", "aliases": ["image_id"]},
    "refresh_image": {"type": "bool", "default": False},
    "instance_types": {"type": "list", "elements": "str"},
    "instance_type": {"type": "str"},
    "fallback_instance_type": {"type": "str"},
    "instance_weights": {"type": "dict"},
    "instance_requirements": {"type": "dict"},
    "security_group_ids": {"type": "list", "elements": "str", "aliases": ["security_group_id"]},
    "subnet_ids": {"type": "list", "elements": "str", "aliases": ["vpc_zone_identifier"]},
    "allow_public_subnets": {"type": "bool", "default": False},
    "kms_key_arn": {"type": "str", "no_log": False},
    "disk_size": {"type": "int"},
    "ebs_iops": {"type": "int"},
    "ebs_throughput": {"type": "int"},
    "efa": {"type": "bool"},
    "root_device_name": {"type": "str"},
    "bootstrap_script": {"type": "str", "no_log": True, "aliases": ["user_data"]},
    "iam_instance_profile": {"type": "str"},
    "metadata_hop_limit": {"type": "int"},
    "on_demand_base": {"type": "int"},
    "on_demand_percentage_above_base": {"type": "int"},
    "on_demand_only": {"type": "bool", "default": False},
    "on_demand_group": {"type": "bool", "default": False},
    "on_demand_fallback_max": {"type": "int"},
    "spot_strategy": {"type": "str", "choices": list(SPOT_STRATEGIES)},
    "spot_instance_pools": {"type": "int"},
    "spot_max_price": {"type": "str"},
    "on_demand_strategy": {"type": "str", "choices": list(ON_DEMAND_STRATEGIES)},
    "min_size": {"type": "int"},
    "max_size": {"type": "int"},
    "desired_capacity": {"type": "int"},
    "capacity_owner": {"type": "str", "choices": list(OWNERS)},
    "capacity_rebalance": {"type": "bool"},
    "capacity_reservation": {"type": "dict", "options": CAPACITY_RESERVATION},
    "availability_zone_distribution": {"type": "str", "choices": list(ZONE_DISTRIBUTIONS)},
    "placement_group": {"type": "str"},
    "default_instance_warmup": {"type": "int"},
    "target_group_arns": {"type": "list", "elements": "str"},
    "deletion_protection": {"type": "str", "choices": list(DELETION_PROTECTIONS)},
    "enable_cpu_scaling": {"type": "bool"},
    "target_cpu_utilization": {"type": "float"},
    "scaling_policies": {"type": "list", "elements": "dict", "options": SCALING_POLICY},
    "scheduled_actions": {"type": "list", "elements": "dict", "options": SCHEDULED_ACTION},
    "lifecycle_hooks": {"type": "list", "elements": "dict", "options": LIFECYCLE_HOOK},
    "warm_pool": {"type": "dict", "options": WARM_POOL},
    "sns_topic_arn": {"type": "str", "aliases": ["notification_topic"]},
    "notification_types": {"type": "list", "elements": "str", "choices": list(NOTIFICATION_TYPES)},
    "instance_refresh": {"type": "dict", "options": INSTANCE_REFRESH},
    "keep_versions": {"type": "int"},
    "ecs_managed": {"type": "bool", "default": False},
    "max_instance_lifetime": {"type": "int"},
    "health_check_type": {"type": "str", "choices": list(HEALTH_CHECK_TYPES)},
    "health_check_grace_period": {"type": "int", "aliases": ["health_check_period"]},
    "termination_policies": {"type": "list", "elements": "str"},
    "environment": {"type": "str"},
    "cost_center": {"type": "str"},
    "project": {"type": "str"},
    "tags": {"type": "dict"},
    "prove": {"type": "bool"},
    "violations": {"type": "str", "choices": list(VIOLATIONS), "default": VIOLATIONS_FAIL},
    "wait": {"type": "bool", "default": False},
    "wait_timeout": {"type": "int", "default": 600},
    "give_up_after": {"type": "int", "default": 120},
}


def run(module: AnsibleAWSModule) -> dict[str, Any]:
    if module.region:
        check_region(module.region, "region")
    groups = fleet_twin.members(module.params)
    for params in groups:
        check_fleet_name(params["name"])
    for option in ("wait_timeout", "give_up_after"):
        check_integer(module.params[option], option)
    clients = Clients(module)
    fleets = FleetRun(module, clients, PACE)
    return fleet_twin.together(fleets.present(groups) if module.params["state"] == "present" else fleets.absent(groups))


def main() -> None:
    module = masking_module(
        argument_spec=ARGUMENTS,
        mutually_exclusive=[
            ("instance_types", "instance_type"),
            ("instance_types", "fallback_instance_type"),
            ("instance_requirements", "instance_types"),
            ("instance_requirements", "instance_type"),
            ("instance_requirements", "instance_weights"),
        ],
        required_by={"fallback_instance_type": ["instance_type"]},
        supports_check_mode=True,
    )
    run_module(module, run)


if __name__ == "__main__":
    main()
