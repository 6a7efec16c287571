#!/usr/bin/env bash
# Start a SLURM cluster for tests: one node on the loopback interface, with fake GPUs.
# usage: start_cluster.sh FOLDER SLURMCTLD_PORT SLURMD_PORT
# Writes FOLDER/env.sh: source it to talk to the cluster.
set -euo pipefail
BASE=$(mkdir -p "$1" && cd "$1" && pwd)
CTLD_PORT=$2 SLURMD_PORT=$3 GPUS=2 CPUS=16 MEM=64000
ME=$(id -un)
# The daemons bind to the address of the node's name, which must be a loopback address. Where the
# machine's name has another address, the node is called localhost.
HOST=$(hostname -s)
case "$(getent ahostsv4 "$HOST" | awk 'NR==1{print $1}')" in
127.*) ;;
*) HOST=localhost ;;
esac

umask 022
mkdir -p "$BASE"/{etc,state,spool,log,run,munge,gpus,bin}
chmod 700 "$BASE"/{state,spool}
[ -s "$BASE/munge/munge.key" ] ||
  (umask 077 && head -c 1024 /dev/urandom >"$BASE/munge/munge.key")

# SLURM checks that a GPU is a character device, but never opens it: /dev/null will do.
for i in $(seq 0 $((GPUS - 1))); do ln -sfn /dev/null "$BASE/gpus/gpu$i"; done
cat >"$BASE/etc/gres.conf" <<CONF
AutoDetect=off
Name=gpu File=$BASE/gpus/gpu[0-$((GPUS - 1))]
CONF
cat >"$BASE/etc/cgroup.conf" <<CONF
ConstrainCores=no
ConstrainDevices=no
ConstrainRAMSpace=no
CONF
cat >"$BASE/etc/slurm.conf" <<CONF
ClusterName=test
SlurmctldHost=$HOST(127.0.0.1)
SlurmUser=$ME
SlurmdUser=$ME
AuthType=auth/munge
AuthInfo=socket=$BASE/munge/munge.socket
CredType=cred/munge
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
SlurmctldPort=$CTLD_PORT
SlurmdPort=$SLURMD_PORT
SlurmctldPidFile=$BASE/run/slurmctld.pid
SlurmdPidFile=$BASE/run/slurmd.pid
StateSaveLocation=$BASE/state
SlurmdSpoolDir=$BASE/spool
SlurmctldLogFile=$BASE/log/slurmctld.log
SlurmdLogFile=$BASE/log/slurmd.log
# Inside a container, cgroups cannot be made.
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
SwitchType=switch/none
# There is no database, so Snakemake asks squeue: keep ended jobs in memory for a day.
AccountingStorageType=accounting_storage/none
MinJobAge=86400
JobCompType=jobcomp/none
MailProg=/bin/true
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=1,bf_interval=5,sched_interval=5
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
GresTypes=gpu
KillWait=5
MessageTimeout=100
TCPTimeout=60
ReturnToService=2
# Claim more CPUs than there are, so that jobs wait for GPUs only.
SlurmdParameters=config_overrides
NodeName=$HOST NodeHostname=$HOST NodeAddr=127.0.0.1 CPUs=$CPUS RealMemory=$MEM Gres=gpu:$GPUS State=UNKNOWN
PartitionName=gpu Nodes=$HOST Default=YES MaxTime=24:00:00 DefaultTime=30 State=UP
CONF

# Snakemake removes all SLURM variables inside a job, SLURM_CONF among them. A real cluster has its
# configuration where srun looks for it; here this wrapper names it.
printf '#!/bin/sh\nSLURM_CONF=%s exec /usr/bin/srun "$@"\n' "$BASE/etc/slurm.conf" >"$BASE/bin/srun"
chmod 755 "$BASE/bin/srun"
printf 'export SLURM_CONF=%s\nexport PATH=%s:$PATH\n' "$BASE/etc/slurm.conf" "$BASE/bin" >"$BASE/env.sh"
export SLURM_CONF=$BASE/etc/slurm.conf

launch() { # NAME COMMAND...; the daemon stays in the foreground, so that the recorded pid is its own
  local name=$1
  shift
  setsid nohup "$@" >"$BASE/log/$name.out" 2>&1 </dev/null &
  # With its start time, so that stop_cluster.sh never mistakes another process for it.
  echo "$! $(awk '{print $22}' "/proc/$!/stat")" >"$BASE/run/$name.started"
}
launch munged /usr/sbin/munged -F --force --key-file="$BASE/munge/munge.key" \
  --socket="$BASE/munge/munge.socket" --pid-file="$BASE/munge/munged.pid" \
  --log-file="$BASE/log/munged.log" --seed-file="$BASE/munge/munged.seed" --num-threads=2
for _ in $(seq 6000); do
  [ -S "$BASE/munge/munge.socket" ] && break
  sleep 0.05
done
munge -S "$BASE/munge/munge.socket" -n | unmunge -S "$BASE/munge/munge.socket" >/dev/null
launch slurmctld /usr/sbin/slurmctld -D -f "$SLURM_CONF"
launch slurmd /usr/sbin/slurmd -D -N "$HOST" -f "$SLURM_CONF"

state=none
for _ in $(seq 1500); do
  for name in munged slurmctld slurmd; do
    read -r pid _ <"$BASE/run/$name.started"
    if ! kill -0 "$pid" 2>/dev/null; then
      echo "error: $name died; the end of $BASE/log/$name.out:" >&2
      tail -n 3 "$BASE/log/$name.out" >&2
      exit 1
    fi
  done
  state=$(timeout 60 sinfo -h -o %T 2>/dev/null || true)
  [ "$state" = idle ] && exit 0
  sleep 0.2
done
echo "error: the node is '$state' after five minutes and not idle; see $BASE/log" >&2
exit 1
