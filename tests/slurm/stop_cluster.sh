#!/usr/bin/env bash
# Stop only what start_cluster.sh started in FOLDER: both pid and start time must match.
# usage: stop_cluster.sh FOLDER
BASE=$1
export SLURM_CONF=$BASE/etc/slurm.conf

ours() { # NAME: whether this daemon still runs; sets PID
  local began
  [ -r "$BASE/run/$1.started" ] || return 1
  read -r PID began <"$BASE/run/$1.started"
  [ -r "/proc/$PID/stat" ] || return 1
  [ "$(awk '{print $22}' "/proc/$PID/stat")" = "$began" ] &&
    [ "$(awk '{print $3}' "/proc/$PID/stat")" != Z ]
}

if ours slurmctld; then # jobs first, so that no step daemon outlives the cluster
  jobs=$(timeout 60 squeue -h -o %A | sort -u)
  [ -n "$jobs" ] && timeout 60 scancel $jobs
  for _ in $(seq 400); do
    [ -z "$(timeout 60 squeue -h -t RUNNING,COMPLETING,PENDING)" ] && break
    sleep 0.25
  done
fi
for name in slurmd slurmctld munged; do
  ours "$name" || continue
  kill -TERM "$PID"
  for _ in $(seq 600); do
    ours "$name" || break
    sleep 0.1
  done
  ours "$name" && kill -KILL "$PID" # slurmd ignores TERM while it cannot reach slurmctld
  rm -f "$BASE/run/$name.started"
done
exit 0
