#!/usr/bin/env bash
# User data for GPU nodes in private subnets: nothing is downloaded, and running it again changes nothing.
#
#   bootstrap_script: "{{ lookup('ansible.builtin.file', 'bootstrap.sh') }}"
#
# - The NVMe disks that come with the instance become /scratch. Hardware encrypts them, and their content goes with the
#   instance (EC2 user guide, "SSD instance store volumes"). Disks that the image uses by itself are left alone.
# - Drivers stay loaded between jobs.
# - The agents of Systems Manager and CloudWatch start, if the image has them. GPU metrics then carry the group's name, so
#   that a policy can scale by them.
#
# The instance profile needs AmazonSSMManagedInstanceCore and CloudWatchAgentServerPolicy, a network without internet the
# endpoints ssm, ssmmessages, monitoring and ec2. Without them the agents wait, and the instance works all the same.
set -euo pipefail

scratch=/scratch
agent=/opt/aws/amazon-cloudwatch-agent

say() { echo "bootstrap: $*"; }

free_disks() {
  local disk
  lsblk --nodeps --noheadings --paths --output NAME,MODEL |
    awk '/Amazon EC2 NVMe Instance Storage/ { print $1 }' |
    while read -r disk; do
      # One line is the disk itself: more are partitions, volumes or an array upon it.
      if [[ $(lsblk --noheadings --list --output NAME "$disk" | wc -l) -eq 1 ]] &&
        [[ -z $(lsblk --nodeps --noheadings --output FSTYPE,MOUNTPOINT "$disk" | tr -d '[:space:]') ]]; then
        echo "$disk"
      fi
    done
}

prepare_scratch() {
  local device disks
  if mountpoint --quiet "$scratch"; then
    say "$scratch is there"
    return
  fi
  if ! blkid -L scratch >/dev/null; then
    mapfile -t disks < <(free_disks)
    if [[ ${#disks[@]} -eq 0 ]]; then
      say "no free NVMe disk for $scratch"
      return
    fi
    device=${disks[0]}
    if [[ ${#disks[@]} -gt 1 ]] && command -v mdadm >/dev/null; then
      device=/dev/md/scratch
      mdadm --create "$device" --run --level=0 --raid-devices="${#disks[@]}" "${disks[@]}"
    fi
    mkfs.ext4 -q -L scratch "$device"
  fi
  mkdir -p "$scratch"
  if ! grep -q '^LABEL=scratch ' /etc/fstab; then
    echo "LABEL=scratch $scratch ext4 defaults,noatime,nofail 0 0" >>/etc/fstab
  fi
  mount LABEL=scratch "$scratch"
  chmod 1777 "$scratch"
  say "$scratch is ready"
}

keep_drivers() {
  if command -v nvidia-smi >/dev/null; then
    nvidia-smi --persistence-mode=1 || say "the drivers do not stay loaded"
  fi
}

start_session_agent() {
  local unit
  for unit in amazon-ssm-agent snap.amazon-ssm-agent.amazon-ssm-agent; do
    if systemctl cat "$unit.service" >/dev/null 2>&1; then
      systemctl enable --now "$unit.service"
      return
    fi
  done
  say "the image has no agent of Systems Manager"
}

start_metrics_agent() {
  if [[ ! -x $agent/bin/amazon-cloudwatch-agent-ctl ]]; then
    say "the image has no agent of CloudWatch"
    return
  fi
  mkdir -p "$agent/etc"
  cat >"$agent/etc/fleet.json" <<'CONFIG'
{
  "agent": {"metrics_collection_interval": 60},
  "metrics": {
    "namespace": "CWAgent",
    "append_dimensions": {
      "AutoScalingGroupName": "${aws:AutoScalingGroupName}",
      "InstanceId": "${aws:InstanceId}"
    },
    "aggregation_dimensions": [["AutoScalingGroupName"]],
    "metrics_collected": {
      "disk": {"measurement": ["used_percent"], "resources": ["/", "/scratch"]},
      "mem": {"measurement": ["used_percent"]},
      "nvidia_gpu": {"measurement": ["utilization_gpu", "utilization_memory", "memory_used", "memory_total", "temperature_gpu"]}
    }
  }
}
CONFIG
  "$agent/bin/amazon-cloudwatch-agent-ctl" -a fetch-config -m ec2 -s -c "file:$agent/etc/fleet.json"
}

prepare_scratch
keep_drivers
start_session_agent
start_metrics_agent
