#!/usr/bin/env bash
# A pretended cluster on this machine for the tests: real sshd, real Slurm, a network of its own.
#
# usage: cluster.sh DIR NODES [slurm]        (as root)
#
# Everything lives in namespaces of its own: a network with a bridge, where the head is 198.18.0.254 and
# fd77::fe, and for each node a machine (network, processes, host name, mounts) with the addresses
# 198.18.0.N and fd77::N, called node00N, with an sshd that has its own host key. node002's listens on port
# 44222. DIR gets the keys, the client's ssh_config and the logs.
#
# Prints "ready", then executes each line of its stdin in the head's namespaces and answers "done STATUS".
# When stdin closes or this process dies the kernel ends everything: nothing outlives the test.
# NODE_ENV: variables that a login on a node sees ("NAME=value NAME=value", no spaces in values).
# SPANK_PLUGIN: a plugin for Slurm's commands and daemons, given DIR.
set -euo pipefail

dir=$1 nodes=$2 slurm=${3:-}
declare -A pid # of each node's outermost process

# Stage 1: network, mounts and host name of the head. Stage 2: its processes. Two, so that a test can run
# something as the head that still sees this machine's processes.
if [ -z "${SXB_STAGE:-}" ]; then
  exec env SXB_STAGE=1 unshare --net --mount --uts --ipc --propagation private -- "$0" "$@"
fi

name() { printf 'node%03d' "$1"; }

# --- commands for the tests ----------------------------------------------------------------------

# machine NODE: boots it (its first process is sshd); also after power_off.
machine() {
  local node=$1
  ip netns exec "$node" unshare --mount --uts --pid --fork --kill-child --mount-proc -- bash -c "
    hostname $node
    # A login shell reads it, and what it starts may hold locks that a killed node leaves behind.
    [ ! -f $HOME/.bashrc ] || mount --bind /dev/null $HOME/.bashrc
    ${slurm:+slurmd -D >> $dir/$node.slurmd.log 2>&1 &}
    exec /usr/sbin/sshd -D -e -f $dir/$node.sshd_config >> $dir/$node.sshd.log 2>&1" &
  pid[$node]=$!
}

# on NODE COMMAND...: runs it on that machine.
on() {
  local node=$1 inner
  shift
  inner=$(cat "/proc/${pid[$node]}/task/${pid[$node]}/children")
  nsenter --all --target "${inner%% *}" -- "$@"
}

# power_off NODE: no process of it remains, and no packet leaves it on the way.
power_off() {
  ip -n "$1" link set eth0 down
  kill -KILL "${pid[$1]}"
  wait "${pid[$1]}" 2> /dev/null || true
}

# power_on NODE: boots it again.
power_on() {
  ip -n "$1" link set eth0 up
  ip -n "$1" -6 addr replace "fd77::$((10#${1#node}))/64" dev eth0 nodad
  machine "$1"
  wait_for_sshd "$1"
}

# new_host_key NODE: as a machine that was installed again.
new_host_key() {
  rm -f "$dir/$1.key" "$dir/$1.key.pub"
  ssh-keygen -q -t ed25519 -N '' -f "$dir/$1.key"
  kill -HUP "$(cat "/proc/${pid[$1]}/task/${pid[$1]}/children")"
  sleep 0.2
  wait_for_sshd "$1"
}

# reconfigure NODE 'KEYWORD VALUE': in its sshd's configuration, in the place of what is there.
reconfigure() {
  sed -i "/^${2%% *} /d" "$dir/$1.sshd_config"
  echo "$2" >> "$dir/$1.sshd_config"
  kill -HUP "$(cat "/proc/${pid[$1]}/task/${pid[$1]}/children")"
  sleep 0.2
  wait_for_sshd "$1"
}

# login NODE SHELL [BASHRC]: what root's logins there run, and the text of its .bashrc.
login() {
  mkdir -p "$dir/$1/home"
  printf '%s' "${3:-}" > "$dir/$1/home/.bashrc"
  sed "s|^root:.*|root:x:0:0:root:$dir/$1/home:$2|" /etc/passwd > "$dir/$1/passwd"
  on "$1" mount --bind "$dir/$1/passwd" /etc/passwd
}

# --- building it -----------------------------------------------------------------------------------

port_of() { if [ "$1" = node002 ]; then echo 44222; else echo 22; fi; }

wait_for_sshd() {
  local host=$1 port attempt
  port=$(port_of "$1")
  for attempt in $(seq 1200); do
    (exec 3<> "/dev/tcp/$host/$port") 2> /dev/null && return
    sleep 0.05
  done
  echo "sshd of $host does not listen after $attempt attempts" >&2
  return 1
}

make_files() {
  local i node
  mkdir -p "$dir"
  ssh-keygen -q -t ed25519 -N '' -f "$dir/id"
  cp "$dir/id.pub" "$dir/authorized_keys"
  { echo "127.0.0.1 localhost" && echo "198.18.0.254 head" && echo "fd77::fe head"; } > "$dir/hosts"
  : > "$dir/known_hosts"
  cat > "$dir/ssh_config" << END
Host *
  IdentityFile $dir/id
  IdentitiesOnly yes
  UserKnownHostsFile $dir/known_hosts
  GlobalKnownHostsFile /dev/null
END
  for ((i = 1; i <= nodes; ++i)); do
    node=$(name "$i")
    printf '198.18.0.%d %s\nfd77::%x %s\n' "$i" "$node" "$i" "$node" >> "$dir/hosts"
    mkdir -p "$dir/$node"
    ssh-keygen -q -t ed25519 -N '' -f "$dir/$node.key"
    if [ "$node" = node002 ]; then
      echo "[$node]:44222,[198.18.0.2]:44222,[fd77::2]:44222 $(cat "$dir/$node.key.pub")"
    else
      printf '%s,198.18.0.%d,fd77::%x %s\n' "$node" "$i" "$i" "$(cat "$dir/$node.key.pub")"
    fi >> "$dir/known_hosts"
    cat > "$dir/$node.sshd_config" << END
Port $(port_of "$node")
HostKey $dir/$node.key
AuthorizedKeysFile $dir/authorized_keys
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
MaxStartups 200
MaxSessions 200
SetEnv SXBENCH_CACHE=$dir/$node/cache ${NODE_ENV:-}
Subsystem sftp internal-sftp
END
  done
}

make_mounts() {
  mount -t tmpfs tmpfs /run
  mkdir -m 755 /run/sshd
  mount --bind "$dir/hosts" /etc/hosts
  { printf 'Host node002\n  Port 44222\n' && cat "$dir/ssh_config"; } > "$dir/etc_ssh_config"
  mount --bind "$dir/etc_ssh_config" /etc/ssh/ssh_config
  # A "!" in front would lock the account for an sshd without PAM.
  (umask 077 && echo 'root:*:19000:0:99999:7:::' > "$dir/shadow")
  mount --bind "$dir/shadow" /etc/shadow
}

make_network() {
  local i node
  hostname head
  ip link set lo up
  ip link add sxb0 type bridge
  ip addr add 198.18.0.254/24 dev sxb0
  ip -6 addr add fd77::fe/64 dev sxb0 nodad
  ip link set sxb0 up
  for ((i = 1; i <= nodes; ++i)); do
    node=$(name "$i")
    ip netns add "$node"
    ip link add "to$node" type veth peer name eth0 netns "$node"
    ip link set "to$node" master sxb0 up
    ip -n "$node" link set lo up
    ip -n "$node" addr add "198.18.0.$i/24" dev eth0
    ip -n "$node" -6 addr add "$(printf 'fd77::%x/64' "$i")" dev eth0 nodad
    ip -n "$node" link set eth0 up
  done
}

# One munged for all; slurmctld here, one slurmd on each machine.
make_slurm() {
  mkdir -p "$dir/munge" "$dir/slurmctld"
  chmod 755 "$dir/munge"
  (umask 077 && head -c 128 /dev/urandom > "$dir/munge/key")
  munged --force --key-file="$dir/munge/key" --socket="$dir/munge/socket" --pid-file="$dir/munge/pid" \
    --log-file="$dir/munge/log" --seed-file="$dir/munge/seed"
  cat > "$dir/slurm.conf" << END
ClusterName=sxb
SlurmctldHost=head(198.18.0.254)
AuthType=auth/munge
AuthInfo=socket=$dir/munge/socket
SlurmUser=root
SlurmdUser=root
SlurmctldPidFile=$dir/slurmctld.pid
SlurmdPidFile=$dir/slurmd-%n.pid
SlurmctldLogFile=$dir/slurmctld.log
SlurmdLogFile=$dir/slurmd-%n.log
StateSaveLocation=$dir/slurmctld
SlurmdSpoolDir=$dir/%n/spool
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SwitchType=switch/none
MpiDefault=none
ReturnToService=2
SlurmdParameters=config_overrides
SchedulerParameters=sched_interval=1,bf_interval=1,sched_min_interval=0
SlurmdTimeout=30
NodeName=node[001-$(printf %03d "$nodes")] CPUs=4 SocketsPerBoard=1 CoresPerSocket=4 ThreadsPerCore=1 State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=60 State=UP
${SPANK_PLUGIN:+PlugStackConfig=$dir/plugstack.conf}
END
  if [ -n "${SPANK_PLUGIN:-}" ]; then echo "required $SPANK_PLUGIN $dir" > "$dir/plugstack.conf"; fi
  echo 'CgroupPlugin=cgroup/v1' > "$dir/cgroup.conf"
  export SLURM_CONF=$dir/slurm.conf
  slurmctld -D >> "$dir/slurmctld.out" 2>&1 &
}

wait_for_slurm() {
  local attempt
  for attempt in $(seq 1200); do
    [ "$(sinfo --noheader --states=idle --format=%D 2> /dev/null | awk '{ n += $1 } END { print n + 0 }')" = "$nodes" ] && return
    sleep 0.1
  done
  echo "Slurm is not up after $attempt attempts: $(sinfo 2>&1)" >&2
  return 1
}

if [ "$SXB_STAGE" = 1 ]; then
  make_files
  make_mounts
  exec env SXB_STAGE=2 unshare --pid --fork --kill-child -- unshare --mount-proc -- "$0" "$@"
fi
make_network
if [ -n "$slurm" ]; then make_slurm; fi
for ((i = 1; i <= nodes; ++i)); do machine "$(name "$i")"; done
for ((i = 1; i <= nodes; ++i)); do wait_for_sshd "$(name "$i")"; done
if [ -n "$slurm" ]; then wait_for_slurm; fi
echo ready

while read -r line; do
  status=0
  eval "$line" < /dev/null || status=$?
  echo "done $status"
done
